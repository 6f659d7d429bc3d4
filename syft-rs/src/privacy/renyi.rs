//! From a Rényi divergence to (ε, δ) (Canonne, Kamath, Steinke 2020, arXiv:2004.00010, proposition 12).

/// The ε at δ of a divergence of this order. It is 0 if the total variation, at most `√(1 - exp(-D))`, is within δ.
pub(super) fn to_epsilon(order: f64, divergence: f64, delta: f64) -> f64 {
    let within_delta = -(-divergence).exp_m1() <= delta * delta;
    if within_delta { 0.0 } else { divergence + surplus(order, delta) }
}

/// ε minus the divergence: `ln((α-1)/α) - (ln δ + ln α)/(α-1)`.
pub(super) fn surplus(order: f64, delta: f64) -> f64 {
    ((order - 1.0) / order).ln() - (delta.ln() + order.ln()) / (order - 1.0)
}
