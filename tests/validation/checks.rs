//! The rows as tests.

use super::rows::hold;
use super::{TABLES, blocking, fixed, infinite, keep_alive, waiting};
use std::collections::BTreeSet;

#[test]
fn erlang_b_matches_its_table() {
    for (a, c, b) in [
        (90.0, 100, 0.026_957_38),
        (100.0, 100, 0.075_700_45),
        (1000.0, 1000, 0.024_811_92),
        (2016.0, 1000, 0.504_454_58),
    ] {
        assert!((blocking::formula(a, c) - b).abs() < 1e-8);
    }
}

#[test]
fn every_row_of_the_report_has_a_name_of_its_own() {
    for table in [&TABLES[2], &TABLES[8]] {
        let rows = (table.rows)();
        let names: BTreeSet<&str> = rows.iter().map(|row| row.what.as_str()).collect();
        assert_eq!(names.len(), rows.len(), "{}: {}", table.title, table.about);
    }
}

#[test]
fn erlang_b_whatever_the_durations() {
    hold(&blocking::erlang_b());
}

#[test]
fn anchors_of_the_scaling_rules() {
    hold(&fixed::anchors());
}

#[test]
fn m_g_infinity_fills_from_empty() {
    hold(&infinite::from_empty());
}

#[test]
fn m_g_infinity_is_poisson() {
    hold(&infinite::stationary());
}

#[test]
fn m_g_infinity_follows_a_sinusoid() {
    hold(&infinite::sinusoidal());
}

#[test]
fn keep_alive_of_many_environments() {
    hold(&keep_alive::table());
}

#[test]
fn keep_alive_of_a_single_environment() {
    hold(&keep_alive::single());
}

#[test]
fn simfaas_steady_state_example() {
    hold(&keep_alive::simfaas());
}

#[test]
fn erlang_c_of_asynchronous_events() {
    hold(&waiting::erlang_c());
}
