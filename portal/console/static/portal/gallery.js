// The page of all parts shows hover and focus without a mouse: what the stylesheet says of them goes for
// data-state="hover" and data-state="focus" there as well.
"use strict";

const AS_STATES = { ":hover": "[data-state=hover]", ":focus-visible": "[data-state=focus]", ":focus": "[data-state=focus]" };

const repeat = (within) => {
  for (const rule of [...within.cssRules].reverse()) {
    if (rule.cssRules?.length) repeat(rule);
    if (!/:hover|:focus(?!-within)/.test(rule.selectorText ?? "")) continue;
    const shown = rule.cssText.replace(/:hover|:focus-visible|:focus(?!-within)/g, (state) => AS_STATES[state]);
    within.insertRule(shown, [...within.cssRules].indexOf(rule) + 1);
  }
};

for (const sheet of document.styleSheets) repeat(sheet);
