// Class names only: colours come from the page's design tokens, so both themes work without anything here.
import { tagHighlighter, tags } from "@lezer/highlight";

export const classHighlighter = tagHighlighter([
  { tag: tags.propertyName, class: "k" },
  { tag: tags.string, class: "s" },
  { tag: [tags.number, tags.bool, tags.null], class: "n" },
  { tag: [tags.separator, tags.squareBracket, tags.brace], class: "p" },
  { tag: tags.invalid, class: "squig" },
]);
