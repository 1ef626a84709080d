//! The page of the sandbox, in a browser.

use std::collections::HashSet;

use crate::browser::{Browser, Window};
use crate::support::{Sandbox, is_there, wait_until};
use fantoccini::Locator;
use rustix::process::Signal;
use serde_json::{Value, json};

/// The narrowest and the widest window, in both schemes.
const WINDOWS: [Window; 4] = [
    Window { width: 360, height: 740, scheme: "light" },
    Window { width: 360, height: 740, scheme: "dark" },
    Window { width: 1400, height: 900, scheme: "light" },
    Window { width: 1400, height: 900, scheme: "dark" },
];

/// Elements that reach beyond the window.
const OVERFLOWING: &str = "
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    return [...document.querySelectorAll('body *')]
        .filter((element) => element.getBoundingClientRect().right > width + 1)
        .map((element) => `${element.tagName}.${element.className}`);";

/// Texts whose contrast to their ground is below 4.5, as WCAG counts it.
const FAINT: &str = "
    const light = (color) => color.match(/[\\d.]+/g).slice(0, 3).map(Number).map((part) => {
        const share = part / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    }).reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
    const ground = (element) => {
        const color = element ? getComputedStyle(element).backgroundColor : 'rgb(255, 255, 255)';
        return element && color === 'rgba(0, 0, 0, 0)' ? ground(element.parentElement) : color;
    };
    return [...document.querySelectorAll('body *')]
        .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
        .map((element) => {
            const [one, two] = [getComputedStyle(element).color, ground(element)].map(light);
            return [(Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05), element.outerHTML.slice(0, 80)];
        })
        .filter(([contrast]) => contrast < 4.5);";

/// What the cards show: process, tier and age of each.
const CARDS: &str = "
    const text = (card, of) => card.querySelector(of).textContent;
    return [...document.querySelectorAll('.card')]
        .map((card) => ['.process', '.tier', '.old'].map((of) => text(card, of)));";

#[tokio::test]
async fn the_page_fits_moves_and_obeys() {
    if !is_there("chromedriver", "CACHEBACK_NEEDS_BROWSER")
        || !is_there("chromium", "CACHEBACK_NEEDS_BROWSER")
    {
        return;
    }
    let mut sandbox = Sandbox::start(&[]).await;
    let browser = Browser::start().await;
    browser.client.goto(&sandbox.url).await.unwrap();
    the_cards_are_read_from_both_processes(&browser).await;
    for window in WINDOWS {
        browser.resize(window).await;
        it_fits(&browser, window).await;
    }
    a_refresh_shows_its_process(&browser).await;
    the_worker_goes_and_comes(&browser).await;
    assert_eq!(browser.console().await, [] as [Value; 0]);
    sandbox.signal(Signal::INT);
    assert!(sandbox.ended().await.success());
}

async fn the_cards_are_read_from_both_processes(browser: &Browser) {
    let mut seen = HashSet::new();
    wait_until("six cards with values of both processes", async || {
        let cards = browser.run(CARDS).await;
        let cards = cards.as_array().unwrap();
        assert_eq!(cards.len(), 6);
        let shown = |card: &Value, place: usize| card[place].as_str().unwrap().to_owned();
        seen.extend(cards.iter().map(|card| shown(card, 0)));
        let have_values = cards.iter().all(|card| {
            ["memory", "shared tier", "body"].contains(&&*shown(card, 1)) && shown(card, 2).ends_with(" s")
        });
        have_values && ["one", "two"].iter().all(|process| seen.contains(*process))
    })
    .await;
    // The figures go on.
    let calls = figure(browser, "calls").await;
    let fetches = figure(browser, "fetches").await;
    wait_until("more calls and fetches", async || {
        figure(browser, "calls").await > calls && figure(browser, "fetches").await > fetches
    })
    .await;
}

async fn it_fits(browser: &Browser, window: Window) {
    assert_eq!(browser.run("return innerWidth").await, window.width);
    assert_eq!(browser.run(OVERFLOWING).await, json!([]), "overflow in {window:?}");
    assert_eq!(browser.run(FAINT).await, json!([]), "faint text in {window:?}");
}

async fn a_refresh_shows_its_process(browser: &Browser) {
    wait_until("a refresh in a web process", async || {
        browser.client.find(Locator::Css("[data-user=alice] .refresh")).await.unwrap().click().await.unwrap();
        let fetched_by = text(browser, "[data-user=alice] .by").await;
        fetched_by == "fetched by web process one"
    })
    .await;
}

async fn the_worker_goes_and_comes(browser: &Browser) {
    let button = browser.client.find(Locator::Id("hire")).await.unwrap();
    assert_eq!(button.text().await.unwrap(), "Kill the worker");
    button.click().await.unwrap();
    wait_until("the worker is gone", async || text(browser, "#worker").await == "gone").await;
    let stale = figure(browser, "stale").await;
    wait_until("stale values and a queue", async || {
        figure(browser, "stale").await > stale && figure(browser, "queue").await > 0
    })
    .await;
    wait_until("a button to start one", async || button.text().await.unwrap() == "Start a worker").await;
    button.click().await.unwrap();
    wait_until("another worker", async || text(browser, "#worker-note").await.starts_with("worker-2")).await;
}

async fn text(browser: &Browser, css: &str) -> String {
    browser.client.find(Locator::Css(css)).await.unwrap().text().await.unwrap()
}

async fn figure(browser: &Browser, id: &str) -> u64 {
    text(browser, &format!("#{id}")).await.replace(',', "").parse().unwrap()
}
