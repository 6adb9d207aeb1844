// Elements under `scope` (and `scope` itself) that match and were not seen by this feature before.
export function fresh(scope, selector, mark) {
  const found = [...scope.querySelectorAll(selector)];
  if (scope instanceof Element && scope.matches(selector)) found.unshift(scope);
  return found.filter((element) => {
    if (element.dataset[mark]) return false;
    element.dataset[mark] = "on";
    return true;
  });
}
