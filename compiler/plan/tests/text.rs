//! Plans as text, whole.

mod shop;

use arqon_plan::{dataflow_text, plan_text};
use arqon_types::Discipline;

#[test]
fn the_plan_is_readable() {
    let expected = "\
circuit shop.revenue
namespace shop

topic shop.customers full key (id) edge in
  Customer { id: int64, region: string }
  holds 1 row per key (id)
  from shop.writer; to revenue[1]

topic shop.orders full key (id) edge in
  Order { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid> }
  holds 1 row per key (id)
  from shop.writer; to revenue

topic shop.revenue delta key (region) edge out
  Revenue { region: string, revenue: decimal<2>, orders: int64 }
  holds rows(shop.orders)
  from revenue[2]; to clients

node revenue
  revenue  from shop.orders
    delta { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid> }
  revenue[0]  where status == \"paid\"
  revenue[1]  join shop.customers as c on customer = id
    delta { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid>, c: { id: int64, region: string } }
    holds rows(shop.orders) + rows(shop.customers)
  revenue[2]  group by c.region agg revenue: sum(amount), orders: count()
    delta { region: string, revenue: decimal<2>, orders: int64 }
    holds 1 group each of rows(shop.orders)
    to shop.revenue

role shop.writer: publish shop.customers, publish shop.orders
";
    assert_eq!(plan_text(&shop::plan(Discipline::Full)), expected);
}

#[test]
fn the_dataflow_is_readable() {
    let expected = "\
dataflow of shop.revenue
topic shop.customers full key (id) edge in Customer { id: int64, region: string }
topic shop.orders full key (id) edge in Order { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid> }
topic shop.revenue delta key (region) edge out Revenue { region: string, revenue: decimal<2>, orders: int64 }

#0 shop.customers  source shop.customers
    { id: int64, region: string }
#1 shop.orders  source shop.orders
    { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid> }
#2 revenue[0]  map of #1
  revenue[0]  where status == \"paid\"
    { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid> }
#3 revenue[1]  join #0 as c on customer = id of #2, #0
    { id: int64, customer: int64, amount: decimal<2>, status: enum<open|paid>, c: { id: int64, region: string } }
#4 revenue[2]  group by c.region agg revenue: sum(amount), orders: count() of #3
    { region: string, revenue: decimal<2>, orders: int64 }

output shop.revenue = #4
";
    assert_eq!(dataflow_text(&shop::dataflow()), expected);
}
