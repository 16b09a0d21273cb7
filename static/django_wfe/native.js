/* The browser's own controls for dates and times, and what must not go wrong with them.
 *
 * The server draws text inputs, which post whatever is typed. A native control is easier to fill in, but posts nothing
 * for what it cannot read: a date without its year, 30 February. Only `validity.badInput` tells that from an empty
 * one, so a form with such a value is not sent: neither as an answer nor as a draft, nor to claim it.
 */
"use strict";

(() => {
    const upgradeAll = (root) => {
        root.querySelectorAll("[data-wfe-form] input[data-wfe-native]").forEach(upgrade);
    };
    document.addEventListener("htmx:load", (event) => upgradeAll(event.target));
    document.addEventListener("wfe:added", (event) => upgradeAll(event.target));
    if (document.readyState === "loading") {
        document.addEventListener("DOMContentLoaded", () => upgradeAll(document));
    } else {
        upgradeAll(document);
    }

    // Before any other listener, so that nothing is sent by another script either.
    document.addEventListener("submit", stopHalfTyped, true);
    document.addEventListener("input", (event) => {
        if (event.target instanceof HTMLInputElement && !event.target.validity.badInput) {
            removeError(event.target);
        }
    });

    /* A control that somebody types in is left as it is, and so is a value that the native one cannot hold. */
    function upgrade(input) {
        if (input.type !== "text" || input === document.activeElement) {
            return;
        }
        const typed = input.value;
        input.type = input.dataset.wfeNative;
        if (typed !== "" && input.value === "") {
            input.type = "text";
            input.value = typed;
        }
    }

    function stopHalfTyped(event) {
        const inputs = Array.from(event.target.querySelectorAll("[data-wfe-form] input"));
        const halfTyped = inputs.filter((input) => input.validity.badInput && !input.matches(":disabled"));
        if (halfTyped.length === 0) {
            return;
        }
        event.preventDefault();
        event.stopImmediatePropagation();
        halfTyped.forEach(addError);
        halfTyped[0].focus();
    }

    function addError(input) {
        if (document.getElementById(errorId(input))) {
            return;
        }
        const form = input.closest("[data-wfe-form]");
        const label = input.labels.length > 0 ? input.labels[0].textContent.replace("*", "").trim() : "";
        const error = document.createElement("ul");
        error.className = "errorlist";
        error.id = errorId(input);
        const line = document.createElement("li");
        line.textContent = `${label}: ${form.dataset.wfeHalfTyped}`;
        error.append(line);
        const row = input.closest(".wfe-field");
        row.classList.add("errors");
        row.prepend(error);
        input.setAttribute("aria-invalid", "true");
        const described = (input.getAttribute("aria-describedby") || "").split(" ").filter(Boolean);
        input.setAttribute("aria-describedby", [...described, error.id].join(" "));
    }

    function removeError(input) {
        const error = document.getElementById(errorId(input));
        if (error === null) {
            return;
        }
        error.remove();
        const row = input.closest(".wfe-field");
        row.classList.toggle("errors", row.querySelector(".errorlist") !== null);
        const described = input.getAttribute("aria-describedby").split(" ").filter((id) => id !== errorId(input));
        if (described.length > 0) {
            input.setAttribute("aria-describedby", described.join(" "));
        } else {
            input.removeAttribute("aria-describedby");
        }
        if (row.querySelector(".errorlist") === null) {
            input.removeAttribute("aria-invalid");
        }
    }

    function errorId(input) {
        return `${input.id}_half_typed`;
    }
})();
