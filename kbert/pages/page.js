"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const data = JSON.parse(document.getElementById("data").textContent) || {};
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const draw = (name, attributes, parent) => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    parent.append(made);
    return made;
  };
  // A text among others, so that its direction turns nothing around it.
  const isolated = (text) => "\u2068" + text + "\u2069";
  const short = (text, length) => {
    const characters = Array.from(text);
    return characters.length > length ? characters.slice(0, length - 1).join("") + "…" : text;
  };

  // ---- tokens and the visible matrix
  const sees = (data.sees || []).map((line) => {
    const seen = new Set();
    for (const span of line ? line.split(" ") : []) {
      const [start, stop] = span.split("-").map(Number);
      for (let k = start; k < stop; k += 1) seen.add(k);
    }
    return seen;
  });
  const matrix = document.querySelector("svg.matrix");
  const said = document.getElementById("seen");
  const hint = said && said.textContent;
  let pinned = null;

  function light(token, key = null) {
    const seen = sees[token];
    document.body.classList.add("choosing");
    document.body.dataset.chosen = token;
    for (const chip of all("svg.tree .token")) {
      const other = Number(chip.dataset.token);
      chip.classList.toggle("seen", seen.has(other));
      chip.classList.toggle("chosen", other === token);
      chip.setAttribute("aria-pressed", String(other === token));
    }
    lightRow(token, seen);
    said.textContent = sentence(token, key);
  }

  function lightRow(token, seen) {
    if (!matrix) return;
    const margin = Number(matrix.dataset.margin), cell = Number(matrix.dataset.cell);
    const lit = matrix.querySelector(".lit");
    lit.replaceChildren();
    for (const key of seen) {
      const at = { x: margin + key * cell, y: margin + token * cell, width: cell, height: cell };
      draw("rect", { ...at, "data-key": key }, lit);
    }
    const across = { x: margin, y: margin + token * cell, width: sees.length * cell, height: cell };
    draw("rect", { ...across, class: "row" }, lit);
    for (const name of all(".matrix text")) {
      name.classList.toggle("chosen", Number(name.dataset.row) === token);
    }
  }

  function sentence(token, key) {
    const name = (number) => isolated(short(data.labels[number], 24)) + " (" + number + ")";
    if (key !== null) return name(token) + (sees[token].has(key) ? " sees " : " does not see ") + name(key) + ".";
    const others = Array.from(sees[token]);
    const listed = others.slice(0, 16).map((k) => isolated(short(data.labels[k], 12))).join(" ");
    const more = others.length > 16 ? " and " + (others.length - 16) + " more" : "";
    const part = data.trunk[token] ? "" : ", of a fact,";
    return name(token) + part + " sees " + others.length + " of " + sees.length + " tokens: " + listed + more + ".";
  }

  function dark() {
    if (pinned !== null) return light(pinned);
    document.body.classList.remove("choosing");
    delete document.body.dataset.chosen;
    for (const chip of all("svg.tree .token")) {
      chip.classList.remove("seen", "chosen");
      chip.setAttribute("aria-pressed", "false");
    }
    if (matrix) matrix.querySelector(".lit").replaceChildren();
    for (const name of all(".matrix text.chosen")) name.classList.remove("chosen");
    said.textContent = hint;
  }

  function pin(token) {
    pinned = pinned === token ? null : token;
    if (pinned === null) dark(); else light(token);
  }

  function walk(event, tree, token) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    let next = step === undefined ? null : token + step;
    if (event.key === "Home") next = 0;
    if (event.key === "End") next = sees.length - 1;
    if (event.key === "Escape") { pinned = null; dark(); return; }
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pin(token); return; }
    const chip = next === null ? null : tree.querySelector('[data-token="' + next + '"]');
    if (!chip) return;
    event.preventDefault();
    for (const other of all(".token", tree)) other.setAttribute("tabindex", "-1");
    chip.setAttribute("tabindex", "0");
    chip.focus();
  }

  function listen(tree) {
    const token = (event) => {
      const chip = event.target.closest(".token");
      return chip && Number(chip.dataset.token);
    };
    tree.addEventListener("pointerover", (event) => { const t = token(event); if (t !== null) light(t); });
    tree.addEventListener("pointerleave", dark);
    tree.addEventListener("focusin", (event) => { const t = token(event); if (t !== null) light(t); });
    tree.addEventListener("focusout", dark);
    tree.addEventListener("click", (event) => { const t = token(event); if (t !== null) pin(t); });
    tree.addEventListener("keydown", (event) => { const t = token(event); if (t !== null) walk(event, tree, t); });
  }

  // Returns the cell of a picture under the pointer: [row, column].
  function under(event, picture, margin, top, width, height) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse());
    return [Math.floor((point.y - top) / height), Math.floor((point.x - margin) / width)];
  }

  if (sees.length && said) {
    all("svg.tree").forEach(listen);
    if (matrix) {
      const margin = Number(matrix.dataset.margin), cell = Number(matrix.dataset.cell);
      const at = (event) => under(event, matrix, margin, margin, cell, cell);
      const within = (n) => n >= 0 && n < sees.length;
      matrix.addEventListener("pointermove", (event) => {
        const [row, column] = at(event);
        if (within(row)) light(row, within(column) ? column : null);
      });
      matrix.addEventListener("pointerleave", dark);
      matrix.addEventListener("click", (event) => { const [row] = at(event); if (within(row)) pin(row); });
    }
  }

  // ---- attention
  const SIZE = { width: 15, height: 13, left: 44, top: 62 };
  for (const heat of all(".heat")) {
    const layers = Number(heat.dataset.layers), heads = Number(heat.dataset.heads);
    const length = data.labels.length, rows = layers * heads, written = heat.dataset.shares;
    const share = (row, k) => parseInt(written.substr(2 * (row * length + k), 2), 36) / 1295;
    const width = length > 128 ? 5 : SIZE.width, named = width === SIZE.width;
    const size = [SIZE.left + length * width + 30, SIZE.top + rows * SIZE.height + 2];
    const picture = draw("svg", { viewBox: "0 0 " + size.join(" "), width: size[0], height: size[1], "aria-hidden": "true" }, heat);
    draw("rect", { class: "ground", x: SIZE.left, y: SIZE.top, width: length * width, height: rows * SIZE.height }, picture);
    for (let row = 0; row < rows; row += 1) {
      const y = SIZE.top + row * SIZE.height;
      if (heads === 1 || row % heads === 0 || rows <= 48) {
        draw("text", { x: SIZE.left - 4, y: y + 10, "text-anchor": "end" }, picture).textContent = (Math.floor(row / heads) + 1) + "·" + (row % heads + 1);
      }
      for (let k = 0; k < length; k += 1) {
        const opacity = Math.sqrt(share(row, k));
        if (opacity > 0.02) draw("rect", { class: "share", x: SIZE.left + k * width, y, width: width - 1, height: SIZE.height - 1, "fill-opacity": opacity.toFixed(3) }, picture);
      }
    }
    for (let k = 0; named && k < length; k += 1) {
      const name = short(data.labels[k], 8), middle = SIZE.left + k * width + 7;
      const turned = "translate(" + (middle + 4) + " " + (SIZE.top - 4) + ") rotate(-90)";
      const upright = { x: middle, y: SIZE.top - 4, "text-anchor": "middle" };
      draw("text", Array.from(name).length === 1 ? upright : { transform: turned }, picture).textContent = name;
    }
    const line = heat.parentElement.querySelector(".said");
    picture.addEventListener("pointermove", (event) => {
      const [row, k] = under(event, picture, SIZE.left, SIZE.top, width, SIZE.height);
      if (row < 0 || row >= rows || k < 0 || k >= length) return;
      line.textContent = "Layer " + (Math.floor(row / heads) + 1) + ", head " + (row % heads + 1) + ": " + (100 * share(row, k)).toFixed(1) + " % at " + isolated(short(data.labels[k], 24)) + " (" + k + ")";
    });
    picture.addEventListener("pointerleave", () => { line.textContent = ""; });
  }
})();
