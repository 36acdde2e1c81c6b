# Residual trapping: Land (1968, doi:10.2118/1942-PA) with the parallel curves of Carlson (1981, doi:10.2118/10157-MS).
#
# Saturations σ = S − S_nr are counted from the drainage residual S_nr, below which CO2 never flows. Where the largest
# saturation so far was σ_max, retreating CO2 leaves behind
#
#   σ_t = σ_max / (1 + C σ_max),
#
# and as long as σ < σ_max it flows as the drainage curve says of the part that is still connected,
#
#   k_rn(S) = k_rn,drainage(S_nr + σ_free),   σ_free = ½ [ (σ − σ_t) + √((σ − σ_t)² + 4 (σ − σ_t)/C) ],
#
# which is σ at σ = σ_max and 0 at σ = σ_t. C = ∞ traps nothing: drainage and imbibition are then the same curve.

"The CO2 saturation that decides how CO2 flows, and its derivative with respect to S. `C` is Land's coefficient."
@inline function connected_saturation(C, residual, S, S_max)
    (S >= S_max || S <= residual || C == Inf) && return S, 1.0
    σ_max = S_max - residual
    excess = S - residual - σ_max / (1 + C * σ_max)
    excess > 0 || return residual, 0.0
    root = sqrt(excess * (excess + 4 / C))
    return residual + 0.5 * (excess + root), 0.5 + 0.5 * (excess + 2 / C) / root
end

"CO2 saturation that stays behind in a cell whose largest saturation was `S_max`, the drainage residual included."
function trapped_saturation(C, residual, S_max)
    σ_max = max(S_max - residual, 0.0)
    return min(S_max, residual) + σ_max / (1 + C * σ_max)
end
