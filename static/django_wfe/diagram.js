// Zoom for graphs that are larger than their place, and a first look at where the job is.
// Only an enhancement: without it the graph scrolls, and the keyboard's Tab leads to each node.
"use strict";

(() => {
  const SMALLEST = 0.01;
  const LARGEST = 3;
  const STEP = 1.25;

  // By the kind of picture, so that a refreshed fragment looks as the one it replaces.
  const remembered = new Map();

  function getParts(figure) {
    const scroll = figure.querySelector(".wfe-diagram__scroll");
    const picture = figure.querySelector(".wfe-diagram__picture");
    const size = picture.viewBox.baseVal;
    return { scroll, picture, size, tools: figure.querySelector(".wfe-diagram__tools") };
  }

  function getScale(figure) {
    const { picture, size } = getParts(figure);
    return picture.getBoundingClientRect().width / size.width;
  }

  function setScale(figure, scale) {
    const { scroll, picture, size, tools } = getParts(figure);
    const bounded = Math.min(Math.max(scale, SMALLEST), LARGEST);
    const before = getScale(figure);
    // What is in the middle stays in the middle.
    const middleX = (scroll.scrollLeft + scroll.clientWidth / 2) / before;
    const middleY = (scroll.scrollTop + scroll.clientHeight / 2) / before;
    figure.classList.add("wfe-diagram--zoomed");
    tools.hidden = false;
    picture.setAttribute("width", String(size.width * bounded));
    picture.setAttribute("height", String(size.height * bounded));
    scroll.scrollLeft = middleX * bounded - scroll.clientWidth / 2;
    scroll.scrollTop = middleY * bounded - scroll.clientHeight / 2;
    remember(figure, bounded);
  }

  function fit(figure) {
    const { scroll, size } = getParts(figure);
    setScale(figure, Math.min((scroll.clientWidth - 10) / size.width, (scroll.clientHeight - 10) / size.height, 1));
  }

  function showNode(figure) {
    const { scroll } = getParts(figure);
    const node = figure.querySelector("[aria-current]") || figure.querySelector(".wfe-node__link");
    if (!node) {
      return;
    }
    const box = node.getBoundingClientRect();
    const place = scroll.getBoundingClientRect();
    scroll.scrollLeft += box.left + box.width / 2 - place.left - scroll.clientWidth / 2;
    scroll.scrollTop += box.top + box.height / 2 - place.top - scroll.clientHeight / 3;
  }

  function remember(figure, scale) {
    const { scroll } = getParts(figure);
    const known = remembered.get(figure.dataset.wfeKind) || {};
    remembered.set(figure.dataset.wfeKind, {
      scale: scale || known.scale,
      left: scroll.scrollLeft,
      top: scroll.scrollTop,
    });
  }

  function change(figure, command) {
    const commands = {
      in: () => setScale(figure, getScale(figure) * STEP),
      out: () => setScale(figure, getScale(figure) / STEP),
      fit: () => fit(figure),
      full: () => setScale(figure, 1),
      here: () => showNode(figure),
    };
    commands[command]();
  }

  function prepare(figure) {
    if (figure.dataset.wfeReady) {
      return;
    }
    figure.dataset.wfeReady = "yes";
    const { scroll, tools, size } = getParts(figure);
    const known = remembered.get(figure.dataset.wfeKind);
    const isLarge = size.width > scroll.clientWidth || size.height > scroll.clientHeight;
    tools.hidden = !isLarge;
    if (known) {
      if (known.scale) {
        setScale(figure, known.scale);
      }
      scroll.scrollTo(known.left, known.top);
    } else if (isLarge) {
      showNode(figure);
    }
    scroll.addEventListener("scroll", () => remember(figure), { passive: true });
  }

  function prepareAll() {
    document.querySelectorAll(".wfe-diagram").forEach(prepare);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-wfe-zoom]");
    if (button) {
      change(button.closest(".wfe-diagram"), button.dataset.wfeZoom);
    }
  });

  document.addEventListener("keydown", (event) => {
    const command = { "+": "in", "=": "in", "-": "out", 0: "fit", 1: "full", ".": "here" }[event.key];
    const isPlain = !(event.ctrlKey || event.metaKey || event.altKey);
    if (command && isPlain && event.target.closest(".wfe-diagram__scroll")) {
      event.preventDefault();
      change(event.target.closest(".wfe-diagram"), command);
    }
  });

  // At once where it can be, so that a refreshed graph is not seen in another size.
  document.addEventListener("htmx:oobAfterSwap", prepareAll);
  document.addEventListener("htmx:load", prepareAll);
  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", prepareAll);
  } else {
    prepareAll();
  }
})();
