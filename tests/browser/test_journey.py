"""A person with a real browser: log in, search, open, create a customer, see the flash, log out.

Once with every route on Flask, once with the five moved routes on Rust, once flipped between every click.
"""

import shutil

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from stack.stack import MOVED

OPTIONS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
    "--window-size=1280,900",
]


@pytest.fixture
def browser(tmp_path):
    options = webdriver.ChromeOptions()
    for option in [*OPTIONS, f"--user-data-dir={tmp_path / 'profile'}"]:
        options.add_argument(option)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_page_load_timeout(60)
    yield driver
    driver.quit()


class Person:
    """What a person does, in the CRM's own words."""

    def __init__(self, driver, url: str, before_click):
        self.driver, self.url, self.before_click = driver, url, before_click

    def open(self, path: str):
        self.before_click()
        self.driver.get(self.url + path)

    def find(self, selector: str):
        return WebDriverWait(self.driver, 20).until(lambda d: d.find_element(By.CSS_SELECTOR, selector))

    def fill(self, name: str, text: str):
        field = self.find(f'[name="{name}"]')
        field.clear()
        field.send_keys(text)

    def click(self, selector: str):
        element = self.find(selector)
        self.before_click()
        page = self.driver.find_element(By.TAG_NAME, "html")
        element.click()
        WebDriverWait(self.driver, 20).until(lambda d: d.find_element(By.TAG_NAME, "html") != page)

    @property
    def text(self) -> str:
        return self.find("body").text


def journey(person: Person):
    person.open("/customers/")
    assert "/auth/login" in person.driver.current_url, "who is not logged in is asked to"
    person.fill("email", "ana@example.com")
    person.fill("password", "demo")
    person.click("form[action*='login'] [type=submit], form [type=submit]")
    person.open("/customers/")
    total = len(person.driver.find_elements(By.CSS_SELECTOR, "main table tbody tr"))
    assert total > 5

    person.open("/customers/new")
    name = "Zoë's <Bakery> & Söhne"
    person.fill("name", name)
    person.click("main form [type=submit]")
    assert person.driver.current_url.startswith(person.url + "/customers/")
    assert name in person.text, "the new customer is shown"
    assert person.find(".flash, .flashes, [class*=flash]").text, "the flash is shown"

    person.open("/customers/?q=Zo%C3%AB")
    assert name in person.text
    person.click("main table tbody tr a")
    assert name in person.find("h1").text
    assert not person.driver.find_elements(By.CSS_SELECTOR, "[class*=flash] li"), "the flash is shown once"

    person.click("form[action*='logout'] [type=submit], form[action*='logout'] button")
    person.open("/customers/")
    assert "/auth/login" in person.driver.current_url, "who logged out is asked to log in"


def backends_of_moved_routes(stack) -> set:
    return {entry["backend"] for entry in stack.access_log() if entry["route"] in MOVED}


def test_journey_on_flask(browser, stack):
    journey(Person(browser, stack.url, lambda: None))
    assert backends_of_moved_routes(stack) == {"legacy"}


def test_journey_on_rust(browser, stacks):
    stack = stacks(moved=MOVED, scope="journey-rust")
    journey(Person(browser, stack.url, lambda: None))
    assert backends_of_moved_routes(stack) == {"rust"}
    stack.stop()


def test_journey_flipped_between_every_click(browser, stack):
    clicks = 0

    def flip_all():
        nonlocal clicks
        clicks += 1
        for name in MOVED:
            stack.cli("flip", name, "rust" if clicks % 2 else "legacy")

    journey(Person(browser, stack.url, flip_all))
    assert clicks >= 8
    assert backends_of_moved_routes(stack) == {"legacy", "rust"}
