// Elements of a document: found by their id, or made.

export const byId = (id) => document.getElementById(id);

/** Make an element with these properties and children, which are elements or texts. */
export function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}
