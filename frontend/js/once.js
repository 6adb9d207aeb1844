// Elements under `scope` (and `scope` itself) that match and that this feature has not seen yet.
export function fresh(scope, selector, mark) {
  const found = [...scope.querySelectorAll(selector)];
  if (scope instanceof Element && scope.matches(selector)) found.unshift(scope);
  return found.filter((element) => {
    if (element.dataset[mark]) return false;
    element.dataset[mark] = "on";
    return true;
  });
}
