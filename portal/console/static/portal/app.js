// Small helps on top of pages that work without them.
"use strict";

document.documentElement.dataset.scripts = ""; // shows the buttons that need this file

const SECONDS_SAID = 8; // long enough to read two lines

const find = (element, attribute) => document.querySelector(element.getAttribute(attribute));
const goBy = (address) => window.history.replaceState(window.history.state, "", address);

// What came of a press of a button, for eyes and for screen readers.
let silence;
const say = (outcome) => {
  const said = document.querySelector("#said");
  said.textContent = said.dataset[outcome];
  clearTimeout(silence);
  silence = setTimeout(() => { said.textContent = ""; }, SECONDS_SAID * 1000);
};

// What opens a dialog has two attributes, for browsers of different ages; those that know the first complain of the other.
if ("commandForElement" in HTMLButtonElement.prototype) {
  document.addEventListener("click", (event) => {
    event.target.closest("[commandfor]")?.removeAttribute("popovertarget");
  }, true);
}

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const source = find(copy, "data-copy");
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      say("copied");
    } catch {
      window.getSelection().selectAllChildren(source);
      say("selected");
    }
  }
  if (event.target.closest("[data-print]")) window.print();
  const show = event.target.closest("[data-show]");
  if (show) {
    const hidden = show.getAttribute("aria-pressed") === "true";
    show.setAttribute("aria-pressed", String(!hidden));
    find(show, "data-show").type = hidden ? "password" : "text";
  }
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const field = document.querySelector(".bar [type=search]");
    if (!field || event.target.closest("input, textarea, select")) return; // there it is a letter like others
    field.focus();
    event.preventDefault();
  }
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// Who opens a menu in which one finds by typing wants to type.
document.addEventListener("toggle", (event) => {
  if (event.target.open) event.target.querySelector(".menu-body [type=search]")?.focus();
}, true);

// A part of the page that is renewed takes the element with it that has the focus. htmx gives it back to the one with
// the same id; if there is none any more, it goes to the nearest part around it that is still there.
let around = [];
document.addEventListener("htmx:beforeSwap", (event) => {
  if (!event.detail.shouldSwap || document.activeElement === document.body) return;
  around = [];
  for (let part = document.activeElement; part; part = part.parentElement) if (part.id) around.push(part.id);
});
document.addEventListener("htmx:afterSettle", () => {
  const part = around.map((id) => document.getElementById(id)).find(Boolean);
  around = [];
  if (!part || document.activeElement !== document.body) return;
  part.tabIndex = -1;
  part.focus({ preventScroll: true });
});

// A checkbox that a button waits for. Only the script disables the button: without it the server insists.
for (const box of document.querySelectorAll("[data-enables]")) {
  const button = find(box, "data-enables");
  const follow = () => { button.disabled = !box.checked; };
  box.addEventListener("change", follow);
  window.addEventListener("pageshow", follow);
  follow();
}

// A choice that counts at once. With the keyboard people pass by others on the way to theirs: there it counts with
// Enter or on leaving the field. Without the script the form's button sends it.
for (const choice of document.querySelectorAll("[data-submits]")) {
  let settled = choice.value;
  let typing = false;
  const submit = () => {
    if (choice.value === settled) return;
    settled = choice.value;
    // The next page goes on there. No element has this name, or the browser would scroll to it.
    const height = window.scrollY && Math.round(choice.getBoundingClientRect().top);
    choice.form.action += `#settled=${choice.id},${height || ""}`;
    choice.form.requestSubmit();
  };
  choice.addEventListener("keydown", (event) => {
    typing = event.key !== "Enter";
    if (!typing) submit();
  });
  choice.addEventListener("pointerdown", () => { typing = false; });
  choice.addEventListener("change", () => { if (!typing) submit(); });
  choice.addEventListener("blur", submit);
  const [, last, height] = window.location.hash.match(/^#settled=(.+),(.*)$/) ?? [];
  if (last !== choice.id) continue;
  choice.focus({ preventScroll: true });
  // It stays where it was on the screen, though texts have other lengths now; who was at the top reads what was saved.
  if (height) window.scrollBy(0, choice.getBoundingClientRect().top - height);
  goBy(window.location.pathname + window.location.search);
}

// Of many boxes those are shown whose name has each word that is typed, whatever marks its letters have; those that are
// chosen count, shown or not.
// Letters are folded as lists on the server fold them (accounts/lists.py).
const LETTERS = { ß: "ss", æ: "ae", œ: "oe", þ: "th", ø: "o", ł: "l", đ: "d", ð: "d", ħ: "h", ŧ: "t", ı: "i", ς: "σ" };
const plain = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f\u064b-\u065f]/g, "").toLowerCase()
  .replace(/[ßæœþøłđðħŧıς]/g, (letter) => LETTERS[letter]);
for (const group of document.querySelectorAll("[data-boxes]:has([data-finds])")) {
  const field = group.querySelector("[type=search]");
  const rows = [...group.querySelectorAll("label:has([type=checkbox])")].map((row) => [row, plain(row.textContent)]);
  const narrow = () => {
    const words = plain(field.value).split(/\s+/);
    for (const [row, name] of rows) row.hidden = !words.every((word) => name.includes(word));
    group.querySelector("[data-none]").hidden = rows.some(([row]) => !row.hidden);
  };
  const count = () => {
    group.querySelector("[data-chosen]").textContent = group.querySelectorAll(":checked").length;
  };
  field.addEventListener("input", narrow);
  field.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); }); // it sends nothing
  group.addEventListener("change", count);
  window.addEventListener("pageshow", () => { narrow(); count(); });
  count();
}

// A mailbox's password with a slip of the finger stays in the browser, and in its field: its length and check characters tell
// (docs/formats/passwords.md, whose vectors hold this and the vault to each other). Whether a right one fits is the
// server's to say.
const SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH = 28;
const times = (left, right) => {
  let product = 0;
  for (; right; right >>= 1) {
    if (right & 1) product ^= left;
    left = (left << 1) ^ (left & 16 ? 0b100101 : 0);
  }
  return product;
};
const valuesOf = (text) => {
  const plain = text.normalize("NFKC").toUpperCase().replace(/[\s\p{Pd}]/gu, "");
  return [...plain.replace(/[IL]/g, "1").replace(/O/g, "0").replace(/U/g, "V")].map((c) => SYMBOLS.indexOf(c));
};
const faultOf = (text, told) => {
  const values = valuesOf(text);
  const rest = (root) => values.reduce((total, value) => times(total, root) ^ value, 0);
  if (text === "") return ""; // whether one is needed is the server's to say
  if (values.length !== LENGTH) return told.miscounted.replace("{}", values.length);
  return values.includes(-1) || rest(2) !== 0 || rest(4) !== 0 ? told.mistyped : "";
};
document.addEventListener("submit", (event) => {
  for (const field of event.target.querySelectorAll("[data-mistyped]")) {
    const fault = faultOf(field.value, field.dataset);
    if (!fault) continue; // of what the server has refused before, it says anew
    const errors = field.closest(".field").querySelector(".errors");
    const error = document.createElement("li");
    error.textContent = fault;
    errors.replaceChildren(error);
    const described = new Set((field.getAttribute("aria-describedby") ?? "").split(" ")).add(errors.id);
    field.setAttribute("aria-describedby", [...described].join(" ").trim());
    field.setAttribute("aria-invalid", "true");
    field.focus();
    event.preventDefault();
  }
});

// A short name is proposed while the name is typed, until somebody types one (tenants/slugs.py makes the same of it).
for (const short of document.querySelectorAll("[data-proposed-from]")) {
  const name = document.getElementById(short.dataset.proposedFrom);
  let proposed = "";
  name.addEventListener("input", () => {
    if (short.value !== proposed) return;
    const words = plain(name.value).replace(/['\u2019]/g, "").match(/[a-z0-9]+/g) ?? [];
    short.value = proposed = words.join("-").slice(0, 40).replace(/-+$/, "");
  });
}

// Back and Reload lead to the first step, with what was typed there: a page that was sent for would be sent for again.
for (const step of document.querySelectorAll("[data-back]")) goBy(step.dataset.back);
for (const form of document.querySelectorAll("[data-keeps]")) {
  form.addEventListener("submit", () => {
    goBy("?" + new URLSearchParams(form.dataset.keeps.split(" ").map((name) => [name, form.elements[name].value])));
  });
}

// Nobody finds a password by pressing Back.
window.addEventListener("pagehide", () => {
  for (const secret of document.querySelectorAll("[data-wipe]")) secret.textContent = "";
});
