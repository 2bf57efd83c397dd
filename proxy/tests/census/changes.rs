//! `ficus census`.

use crate::site::{FLASKS, SHOP, Site};

#[test]
fn an_application_that_stayed_the_same_has_no_changes() {
    let site = Site::new(FLASKS[0], SHOP);
    site.run(&["init"]).expect(0);
    let done = site.run(&["census", "--exit-code"]).expect(0);
    assert!(done.out.starts_with("nothing changed"), "{}", done.out);
    assert_eq!(site.run(&["census", "--json"]).expect(0).json()["changed"], false);
}

#[test]
fn new_gone_and_changed_endpoints_are_told() {
    let site = Site::new(FLASKS[1], SHOP);
    site.run(&["init"]).expect(0);
    site.edit("shop.py", "@shop.route(\"/\")", "@shop.route(\"/\", methods=[\"GET\", \"DELETE\"])");
    site.edit("shop.py", "@shop.route(\"/<int:item_id>\")", "@shop.route(\"/items/<int:item_id>\")");
    site.edit("shop.py", "\"pages\"", "\"sheets\"");
    let done = site.run(&["census"]).expect(0);
    for line in [
        "+ sheets: GET /pages/<path:page>",
        "- pages: GET /pages/<path:page>",
        "~ shop.item: + GET /shop/items/<int:item_id>",
        "~ shop.item: - GET /shop/<int:item_id>",
        "~ shop.list: /shop/: GET -> DELETE,GET",
        "1 new, 1 gone, 2 changed",
    ] {
        assert!(done.out.contains(line), "`{line}` is not in\n{}", done.out);
    }
    site.run(&["census", "--exit-code"]).expect(3);
    let document = site.run(&["census", "--json", "--exit-code"]).expect(3).json();
    assert_eq!(document["changed"], true);
    assert_eq!(document["new"][0]["endpoint"], "sheets");
    assert_eq!(document["changes"].as_array().unwrap().len(), 2);
}

#[test]
fn an_upgraded_werkzeug_is_told() {
    let site = Site::new(FLASKS[0], SHOP);
    site.run(&["init"]).expect(0);
    let routes = site.read("routes.toml");
    let upgraded = Site::new(FLASKS[2], SHOP);
    upgraded.write("ficus.toml", &site.read("ficus.toml"));
    upgraded.write("routes.toml", &routes);
    let done = upgraded.run(&["census", "--exit-code"]).expect(3);
    assert!(done.out.contains("~ flask.profile in ficus.toml: werkzeug-1.0 -> werkzeug-3.1"), "{}", done.out);
}

#[test]
fn without_a_good_routing_file_there_is_nothing_to_compare() {
    let site = Site::new(FLASKS[0], SHOP);
    let done = site.run(&["census"]).expect(1);
    assert!(done.err.contains("`ficus init` writes one"), "{}", done.err);
    site.write("routes.toml", "version = 1\n[[route]]\nname = \"a\"\nrule = \"/<int:\"\n");
    let done = site.run(&["census", "--routes", "routes.toml"]).expect(1);
    assert!(done.err.contains("routes.toml:4"), "{}", done.err);
}
