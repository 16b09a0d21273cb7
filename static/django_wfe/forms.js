/* Lists and optional groups of input forms, without a round trip to the server.
 *
 * Progressive enhancement only: without this file the same buttons submit the form, and the server adds or removes
 * the item. Events are delegated from the document, so that forms which arrive in a fragment work as well.
 */
"use strict";

(() => {
    const blankOf = (list) => list.querySelector(":scope > template[data-wfe-blank]");
    const itemsOf = (list) => list.querySelector(":scope > [data-wfe-items]");
    const addButtonOf = (list) => list.querySelector(":scope > .wfe-add-row > [data-wfe-add]");
    const isOwn = (item, element) => element.closest("[data-wfe-item]") === item;

    document.addEventListener("click", (event) => {
        if (!(event.target instanceof Element)) {
            return;
        }
        const button = event.target.closest("[data-wfe-add], [data-wfe-remove]");
        if (!button || !button.closest("[data-wfe-form]") || event.defaultPrevented) {
            return;
        }
        const list = button.closest("[data-wfe-list]");
        if (button.matches("[data-wfe-add]") && !hasRoom(list)) {
            return; // the server makes one text of the list
        }
        event.preventDefault();
        if (button.matches("[data-wfe-add]")) {
            addItem(list);
        } else {
            removeItem(button.closest("[data-wfe-item]"));
        }
    });

    document.addEventListener("change", (event) => {
        if (event.target instanceof Element && event.target.matches("[data-wfe-provide]")) {
            showBody(event.target);
        }
    });

    const showAllBodies = (root) => {
        root.querySelectorAll("[data-wfe-form] [data-wfe-provide]").forEach(showBody);
    };
    document.addEventListener("htmx:load", (event) => showAllBodies(event.target));
    // A browser restores the ticks of a page in its history after the document was read.
    window.addEventListener("pageshow", () => showAllBodies(document));
    if (document.readyState === "loading") {
        document.addEventListener("DOMContentLoaded", () => showAllBodies(document));
    } else {
        showAllBodies(document);
    }

    function addItem(list) {
        const key = Number(list.dataset.wfeNext);
        list.dataset.wfeNext = String(key + 1);
        const fragment = document.importNode(blankOf(list).content, true);
        fillPlaceholder(fragment, list.dataset.wfePlaceholder, String(key));
        const item = fragment.querySelector("[data-wfe-item]");
        itemsOf(list).append(fragment);
        item.querySelectorAll("[data-wfe-provide]").forEach(showBody);
        item.dispatchEvent(new CustomEvent("wfe:added", { bubbles: true }));
        update(list);
        const input = item.querySelector("input:not([type=hidden]), select, textarea");
        (input || item.querySelector("[data-wfe-add]") || addButtonOf(list)).focus();
        announce(list, item.querySelector("legend, label"));
    }

    /* Whether a form with one more item can still be sent. */
    function hasRoom(list) {
        if (itemsOf(list).children.length >= Number(list.dataset.wfeMostItems)) {
            return false;
        }
        const form = list.closest("[data-wfe-form]");
        const most = form.dataset.wfeMostValues;
        if (most === undefined) {
            return true;
        }
        const present = form.querySelectorAll("input, select, textarea").length;
        return present + blankOf(list).content.querySelectorAll("input, select, textarea").length <= Number(most);
    }

    function removeItem(item) {
        const list = item.closest("[data-wfe-list]");
        const neighbour = item.nextElementSibling || item.previousElementSibling;
        item.remove();
        update(list);
        const target = neighbour && neighbour.querySelector("[data-wfe-remove]");
        (target || addButtonOf(list)).focus();
        announce(list, addButtonOf(list).closest(".wfe-list").querySelector("legend"));
    }

    /* Puts the item's key into every attribute, also inside the templates of lists within the item. */
    function fillPlaceholder(root, placeholder, key) {
        root.querySelectorAll("*").forEach((element) => {
            for (const attribute of Array.from(element.attributes)) {
                if (isAddress(element, attribute.name) && attribute.value.includes(placeholder)) {
                    attribute.value = attribute.value.replaceAll(placeholder, key);
                }
            }
            if (element instanceof HTMLTemplateElement) {
                fillPlaceholder(element.content, placeholder, key);
            }
        });
    }

    function isAddress(element, name) {
        const isStructure = element.matches("button, input[type=hidden]");
        return ["id", "name", "for", "aria-describedby"].includes(name) || (name === "value" && isStructure);
    }

    function update(list) {
        const items = Array.from(itemsOf(list).children);
        items.forEach((item, position) => {
            item.querySelectorAll("[data-wfe-number]").forEach((number) => {
                if (isOwn(item, number)) {
                    number.textContent = String(position + 1);
                }
            });
        });
        const maximum = list.dataset.wfeMaximum;
        addButtonOf(list).disabled = maximum !== undefined && items.length >= Number(maximum);
    }

    /* What is not provided is neither shown nor sent. */
    function showBody(checkbox) {
        const body = checkbox.closest("[data-wfe-optional]").querySelector(":scope > [data-wfe-body]");
        body.hidden = !checkbox.checked;
        body.disabled = !checkbox.checked;
    }

    function announce(list, label) {
        const status = list.closest("[data-wfe-form]").querySelector("[data-wfe-status]");
        const count = itemsOf(list).children.length;
        status.textContent = `${label ? label.textContent.trim() : ""} (${count})`;
    }
})();
