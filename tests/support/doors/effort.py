"""What a task costs a person: clicks, key presses, pages that load."""

from playwright.sync_api import Frame, Locator, Page


class Effort:
    """Counts what a person does and waits for: clicks, key presses, page loads."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = self.keys = self.loads = 0
        page.on("framenavigated", self._count_load)

    def click(self, target: Locator) -> None:
        self.clicks += 1
        target.click()

    def tap(self, target: Locator) -> None:
        """Tap on it, on a phone: as dear as a click."""
        self.clicks += 1
        target.tap()

    def press(self, keys: str) -> None:
        self.keys += 1
        self.page.keyboard.press(keys)

    def _count_load(self, frame: Frame) -> None:
        self.loads += frame == self.page.main_frame
