//! `arqon explain FILE NODE`: facts of a circuit's parts, for people and as JSON.

#![allow(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]

mod support;

use support::Scene;

#[test]
fn a_node_is_explained_step_by_step_and_pass_by_pass() {
    let ran = Scene::new().arqon(&["explain", "shop.yaml", "revenue"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for part in [
        "node revenue  shop.yaml:17:3\n",
        "  reads    shop.orders, shop.customers\n",
        "\nrevenue[1]  join shop.customers as c on customer = id\n",
        "  holds    rows(shop.orders) + rows(shop.customers)\n",
        "  key      (region)\n",
        "\nsteps as written\n",
        "\nsteps after `prune`\n",
        "\nsteps after `fuse`\n",
        "    holds   touches\n",
        "    1,111       1.3  #2 revenue[1]  join shop.customers as c on customer = id of #1, \
         shop.customers  (hash)\n",
        "    1,122         3  in all\n",
        "`release` change nothing here\n",
        "1,000 rows a topic",
    ] {
        assert!(ran.stdout.contains(part), "{part} in\n{}", ran.stdout);
    }
}

#[test]
fn a_step_and_a_topic_are_explained_as_json() {
    let scene = Scene::new();
    let explained = |name: &str| -> serde_json::Value {
        let ran = scene.arqon(&["explain", "shop.yaml", name, "--format", "json"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        serde_json::from_str(&ran.stdout).unwrap()
    };
    let step = explained("revenue[2]");
    assert_eq!(step["kind"], "step");
    assert_eq!(step["parts"].as_array().unwrap().len(), 1);
    assert_eq!(step["parts"][0]["key"], "(region)");
    let passes = step["passes"].as_array().unwrap();
    let pass = |name: &str| passes.iter().find(|pass| pass["pass"] == name).unwrap();
    assert_eq!(
        (&pass("prune")["changed"], &pass("push")["changed"]),
        (&true.into(), &false.into())
    );
    let last = &pass("release")["steps"][1];
    assert_eq!((&last["address"], &last["kept_in"]), (&"revenue[1]".into(), &"hash".into()));
    assert_eq!((&last["holds"], &last["touches"]), (&1111.1.into(), &1.3.into()));
    assert_eq!(step["assumes"]["topic_rows"], 1000.0);
    let topic = explained("shop.orders");
    assert_eq!(topic["kind"], "topic");
    assert_eq!(topic["parts"][0]["at_most"], "rows(shop.orders)");
    assert_eq!(topic["read_by"][0], "revenue");
}

#[test]
fn what_is_not_there_is_a_usage_error_with_the_nearest_name() {
    let scene = Scene::new();
    for (arguments, help) in [
        (&["explain", "shop.yaml", "revenu"][..], "did you mean `revenue`?"),
        (&["explain", "shop.yaml", "shop.order"], "did you mean `shop.orders`?"),
        (&["explain", "shop.yaml"], "arqon explain shop.yaml NODE"),
    ] {
        let ran = scene.arqon(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.stderr.contains(help), "{}", ran.stderr);
    }
}

#[test]
fn a_circuit_with_faults_is_explained_as_far_as_it_is_known() {
    let scene = Scene::new();
    scene.write("faulty.yaml", &support::SHOP.replace("sum(amount)", "sum(amout)"));
    let ran = scene.arqon(&["explain", "faulty.yaml", "revenue[0]"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("error[E0205]"), "{}", ran.stderr);
    assert!(ran.stdout.contains("where status == \"paid\""), "{}", ran.stdout);
}

#[test]
fn what_two_nodes_share_is_said_of_both() {
    let scene = Scene::new();
    scene.write("shared.yaml", include_str!("../../circuits/ok/shared.yaml"));
    let explained = |node: &str| scene.arqon(&["explain", "shared.yaml", node]).stdout;
    let gone = explained("again");
    let after = "\nsteps after `share`\n  none of its own\n  again[0] does what by_region[0] does, \
                 once\n  again[1] does what by_size[1] does, once\n";
    assert!(gone.contains(after), "{gone}");
    let left = explained("by_region");
    assert!(left.contains("\n  by_size[0] does what by_region[0] does, once\n"), "{left}");
}

#[test]
fn it_is_said_what_the_state_of_a_loop_is_made_of() {
    let scene = Scene::new();
    scene.write("reach.yaml", include_str!("../../circuits/ok/reachability.yaml"));
    scene.write("members.yaml", include_str!("../../circuits/ok/components.yaml"));
    scene.write("loops.yaml", include_str!("../../circuits/ok/loops.yaml"));
    // Walks along edges, and a loop that is more than that.
    let walks = [
        ("reach.yaml", "reach", "of #2, graph.ways  (hash)\n"),
        ("members.yaml", "members", "of #3, both  (hash)\n"),
    ];
    for (file, node, join) in walks {
        let walk = scene.arqon(&["explain", file, node]).stdout;
        assert!(walk.contains(join), "{walk}");
        assert!(!walk.contains("arrangements"), "{walk}");
    }
    let other = scene.arqon(&["explain", "loops.yaml", "evens"]).stdout;
    assert!(other.contains("  (arrangements)\n"), "{other}");
    assert!(other.contains("\narrangements: a history by key"), "{other}");
}

#[test]
fn a_better_order_of_joins_is_expected_to_cost_less() {
    let scene = Scene::new();
    scene.write("reordered.yaml", include_str!("../../circuits/ok/reordered.yaml"));
    let arguments = ["explain", "reordered.yaml", "seen_by", "--format", "json"];
    let explained: serde_json::Value =
        serde_json::from_str(&scene.arqon(&arguments).stdout).unwrap();
    let passes = explained["passes"].as_array().unwrap();
    let cost = |name: &str, what: &str| {
        let pass = passes.iter().find(|pass| pass["pass"] == name).unwrap();
        pass[what].as_f64().unwrap()
    };
    for what in ["holds", "touches"] {
        assert!(cost("reorder", what) < cost("lower", what), "{what}: {passes:#?}");
        assert!(cost("release", what) <= cost("reorder", what), "{what}: {passes:#?}");
    }
}
