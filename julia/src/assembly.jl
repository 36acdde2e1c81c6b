# Residual and Jacobian of one implicit step. In every cell, for α = brine, CO2:
#
#   R_α = [ (m_α − m_α^old)/Δt + Σ_faces F_α − q_α ] / ρ_α,ref                                  [m³/s]
#   F_α = T (ρ k_r/μ)_α,upstream [ p_α,i − p_α,j − ½(ρ_α,i + ρ_α,j) g (z_i − z_j) ]             [kg/s]
#
# upstream being the side of higher phase potential. Dividing by the reference densities makes both rows volume rates,
# so that their sum is nearly a pressure equation.

# Inactive cells have identity rows and a residual of zero.

"""
    System(pattern)

Storage for the Jacobian (2 × 2 blocks, one column of `blocks` each: ∂R_w/∂p, ∂R_n/∂p, ∂R_w/∂S, ∂R_n/∂S), the residual
(R_w, R_n of cell 1, of cell 2, ...) and the properties of all cells. Assembly allocates nothing.
"""
struct System
    blocks::Matrix{Float64}
    residual::Vector{Float64}
    old_brine::Vector{Float64}
    old_co2::Vector{Float64}
    properties::Matrix{Float64}           # one column per cell, see the constants below
    weights::Matrix{Float64}              # ρ_ref/ρ of brine and CO2 in each cell: rows → volume balance
    bottom_hole::Vector{Float64}          # pressure of each well [Pa], and mass rate [kg/s], of the last assembly
    rates::Vector{Float64}
    well_head::Vector{Vector{Float64}}    # weight of the CO2 column above each perforation [Pa], kept over a step
    drawdown::Vector{Float64}             # scratch, as long as the longest well
    conductance::Vector{Float64}
    conductance_p::Vector{Float64}
    conductance_S::Vector{Float64}
end

const RW, RW_P, MW, MW_P, MW_S, RN, RN_P, RN_S, MN, MN_P, MN_S, PN, PN_S, LT, LT_S = 1:15

function System(pattern::Pattern)
    n, nw = ncells(pattern), length(pattern.perforations)
    longest = maximum(vcat(0, [size(p, 1) for p in pattern.perforations]))
    return System(zeros(4, length(pattern.colind)), zeros(2n), zeros(n), zeros(n), zeros(15, n), ones(2, n),
                  zeros(nw), zeros(nw), [zeros(size(p, 1)) for p in pattern.perforations],
                  zeros(longest), zeros(longest), zeros(longest), zeros(longest))
end

"Before the first step: remember the masses of `state`."
function begin_step!(sys::System, m::Model, state::State)
    masses!(sys.old_brine, sys.old_co2, m, state)
    return nothing
end

"""
    next_step!(system, model, state, dt)

After a step of `dt` that ended in `state`: as [`begin_step!`](@ref), but each phase begins with the total mass that the
balance of this step asks for. What `tolerance_mass` left open is made good by the next step, so that many steps balance
as well as one.
"""
function next_step!(sys::System, m::Model, state::State, dt)
    begin_step!(sys, m, state)
    brine, co2 = 0.0, 0.0
    for i in eachindex(sys.old_brine)
        brine += sys.residual[2i-1]
        co2 += sys.residual[2i]
    end
    restore!(sys.old_brine, dt * m.fluids.brine_density * brine)
    restore!(sys.old_co2, dt * m.fluids.co2_density * co2)
    return nothing
end

# Spread over all cells in proportion to what they hold: in single cells a lack may be beyond remedy (no mass to give).
function restore!(masses, excess)
    total = sum(masses)
    total > 0 && (masses .*= 1 - excess / total)
    return nothing
end

# The CO2 column of a well, for a step that starts from `state`: its rate was `before` until then and is `now` from then.
# The column between perforations j − 1 and j has the CO2 density at the mean of the pressures in the well there:
#
#   h_j = h_{j−1} + ρ_n(½ (p_{j−1} + p_j)) g (z_j − z_{j−1}),   p_j = p_bh + h_j
#
# It is kept over a step: p_bh belongs to the state and the rate from which the step starts. First the brine pressures
# of the cells stand for p_j; each round then solves p_bh with the last column and weighs it again. The column feels
# p_bh by c ρ g (z_j − z_1) ≈ 1e-3 only, so three rounds leave nothing. A well that opens has one round, as in OPM Flow.
function weigh_column!(sys::System, m::Model, state::State, w::Int, before::Float64, now::Float64)
    scheduled, rounds = before > 0 ? (before, 3) : (now, 1)
    scheduled > 0 || return nothing
    well, f, head, heights = m.wells[w], m.fluids, sys.well_head[w], m.well_heights[w]
    a, u, count = sys.conductance, sys.drawdown, length(well.cells)
    weigh!(head, heights, f, j -> state.pressure[well.cells[j]])
    for _ in 1:rounds
        for (j, i) in enumerate(well.cells)
            S = state.saturation[i]
            p = state.pressure[i] + capillary_pressure(f.capillarity, S)[1]
            mobility = brine_mobility(f, S)[1] + co2_mobility(f, S, state.maximum_saturation[i])[1]
            a[j] = m.well_indices[w][j] * mobility * co2_density(f, p)
            u[j] = p - head[j]
        end
        pressure = min(balanced_pressure(a, u, count, scheduled)[1], well.pressure_limit)
        # beyond the law of density (no perforation conducts, or rock that cannot take the rate) the last column stays
        f.co2_compressibility * abs(pressure - f.reference_pressure) <= 1 || break
        weigh!(head, heights, f, j -> pressure + head[j])
    end
    return nothing
end

# `pressure_of(j)` is asked for before head[j] changes, and not again.
function weigh!(head, heights, f, pressure_of)
    above, total = pressure_of(1), 0.0
    head[1] = 0.0
    for j in 2:length(head)
        here = pressure_of(j)
        total += co2_density(f, 0.5 * (above + here)) * (heights[j] - heights[j-1])
        head[j] = total
        above = here
    end
    return nothing
end

const NO_SOURCES = SourceRates()

"""
    assemble!(system, model, state, dt, scheduled, sources = none, part = Whole())

Residual and Jacobian at `state` for a step of `dt` seconds with the scheduled mass rates of the wells [kg/s] (`Inf`:
pressure control) and the rates of the sources: of all cells, or of those in a [`Part`](@ref) when the state has changed
only where it says.
"""
function assemble!(sys::System, m::Model, state::State, dt::Float64, scheduled::Vector{Float64},
                   sources::SourceRates = NO_SOURCES, part = Whole())
    # cells and faces write every block they own; only couplings of perforations that share no face remain
    for (w, well) in enumerate(m.wells), (a, i) in enumerate(well.cells)
        holds(part, i) || continue
        for b in eachindex(well.cells)
            q = m.pattern.perforations[w][a, b]
            sys.blocks[1, q] = sys.blocks[2, q] = sys.blocks[3, q] = sys.blocks[4, q] = 0.0
        end
    end
    accumulate!(sys, m, state, dt, part)
    accumulate_sources!(sys, m, sources, part)
    for w in eachindex(m.wells)
        accumulate_well!(sys, m, state, w, scheduled[w], part)
    end
    return nothing
end

function accumulate!(sys::System, m::Model, state::State, dt, part::Part)
    accumulate_cells!(sys, m, state, dt, part.cells)
    accumulate_faces!(sys, m, state, part, part.faces)
    return nothing
end

# Cells just ahead of the faces that need them (which come in the order of their left cell): what a large model's faces
# read and write is then still in the cache.
function accumulate!(sys::System, m::Model, state::State, dt, whole::Whole)
    pattern = m.pattern
    done, total = 0, ncells(pattern)
    for first in 1:FACES_AT_A_TIME:length(pattern.left)
        these = first:min(first + FACES_AT_A_TIME - 1, length(pattern.left))
        ahead = done
        for f in these
            ahead = max(ahead, pattern.right[f])
        end
        accumulate_cells!(sys, m, state, dt, (done+1):ahead)
        done = ahead
        accumulate_faces!(sys, m, state, whole, these)
    end
    accumulate_cells!(sys, m, state, dt, (done+1):total)
    return nothing
end

const FACES_AT_A_TIME = 512

function accumulate_sources!(sys::System, m::Model, sources::SourceRates, part)
    sw, sn = 1 / m.fluids.brine_density, 1 / m.fluids.co2_density
    for (s, i) in enumerate(sources.cells)
        holds(part, i) || continue
        sys.residual[2i-1] -= sw * sources.brine[s]
        sys.residual[2i] -= sn * sources.co2[s]
    end
    return nothing
end

function accumulate_cells!(sys::System, m::Model, state::State, dt, these)
    f, rock, P, blocks = m.fluids, m.rock, sys.properties, sys.blocks
    sw, sn = 1 / f.brine_density, 1 / f.co2_density
    @inbounds for i in these
        d = m.pattern.diagonal[i]
        if !rock.active[i]
            sys.residual[2i-1] = sys.residual[2i] = 0.0
            blocks[1, d] = blocks[4, d] = 1.0
            blocks[2, d] = blocks[3, d] = 0.0
            continue
        end
        p, S = state.pressure[i], state.saturation[i]
        pc, pc_S = capillary_pressure(f.capillarity, S)
        rw, rw_p = brine_density_and_slope(f, p)
        rn, rn_p = co2_density_and_slope(f, p + pc)
        rn_S = rn_p * pc_S
        lw, lw_S = brine_mobility(f, S)
        ln, ln_S = co2_mobility(f, S, state.maximum_saturation[i])
        P[RW, i] = rw
        P[RW_P, i] = rw_p
        P[MW, i] = rw * lw
        P[MW_P, i] = rw_p * lw
        P[MW_S, i] = rw * lw_S
        P[RN, i] = rn
        P[RN_P, i] = rn_p
        P[RN_S, i] = rn_S
        P[MN, i] = rn * ln
        P[MN_P, i] = rn_p * ln
        P[MN_S, i] = rn * ln_S + rn_S * ln
        P[PN, i] = p + pc
        P[PN_S, i] = pc_S
        P[LT, i] = lw + ln
        P[LT_S, i] = lw_S + ln_S
        sys.weights[1, i] = f.brine_density / rw
        sys.weights[2, i] = f.co2_density / rn
        expansion, c = pore_expansion(rock, p)
        volume = m.capacity[i] * expansion
        sys.residual[2i-1] = sw / dt * (volume * rw * (1 - S) - sys.old_brine[i])
        sys.residual[2i] = sn / dt * (volume * rn * S - sys.old_co2[i])
        blocks[1, d] = sw / dt * volume * (rw_p + c * rw) * (1 - S)
        blocks[2, d] = sn / dt * volume * (rn_p + c * rn) * S
        blocks[3, d] = -sw / dt * volume * rw
        blocks[4, d] = sn / dt * volume * (rn + rn_S * S)
    end
    return nothing
end

function accumulate_faces!(sys::System, m::Model, state::State, part, these)
    pattern, P, blocks, residual = m.pattern, sys.properties, sys.blocks, sys.residual
    sw, sn = 1 / m.fluids.brine_density, 1 / m.fluids.co2_density
    @inbounds for f in these
        i, j = pattern.left[f], pattern.right[f]
        in_i, in_j = holds(part, i), holds(part, j)
        ii, jj, ij, ji = pattern.diagonal[i], pattern.diagonal[j], pattern.left_right[f], pattern.right_left[f]
        if m.transmissibility[f] == 0                   # beside an inactive cell, whose properties mean nothing
            for q in (ij, ji)
                blocks[1, q] = blocks[2, q] = blocks[3, q] = blocks[4, q] = 0.0
            end
            continue
        end
        half_head = 0.5 * m.head[f]
        # brine
        T = sw * m.transmissibility[f]
        potential = state.pressure[i] - state.pressure[j] - half_head * (P[RW, i] + P[RW, j])
        up = potential >= 0 ? i : j
        flux = T * P[MW, up]
        dpi = flux * (1 - half_head * P[RW_P, i])
        dpj = flux * (-1 - half_head * P[RW_P, j])
        dup_p, dup_S = T * P[MW_P, up] * potential, T * P[MW_S, up] * potential
        dSi, dSj = 0.0, 0.0
        if up == i
            dpi += dup_p
            dSi = dup_S
        else
            dpj += dup_p
            dSj = dup_S
        end
        flux *= potential
        if in_i
            residual[2i-1] += flux
            blocks[1, ii] += dpi
            blocks[3, ii] += dSi
            blocks[1, ij] = dpj
            blocks[3, ij] = dSj
        end
        if in_j
            residual[2j-1] -= flux
            blocks[1, ji] = -dpi
            blocks[3, ji] = -dSi
            blocks[1, jj] -= dpj
            blocks[3, jj] -= dSj
        end
        # CO2
        T = sn * m.transmissibility[f]
        potential = P[PN, i] - P[PN, j] - half_head * (P[RN, i] + P[RN, j])
        up = potential >= 0 ? i : j
        flux = T * P[MN, up]
        dpi = flux * (1 - half_head * P[RN_P, i])
        dpj = flux * (-1 - half_head * P[RN_P, j])
        dSi = flux * (P[PN_S, i] - half_head * P[RN_S, i])
        dSj = flux * (-P[PN_S, j] - half_head * P[RN_S, j])
        dup_p, dup_S = T * P[MN_P, up] * potential, T * P[MN_S, up] * potential
        if up == i
            dpi += dup_p
            dSi += dup_S
        else
            dpj += dup_p
            dSj += dup_S
        end
        flux *= potential
        if in_i
            residual[2i] += flux
            blocks[2, ii] += dpi
            blocks[4, ii] += dSi
            blocks[2, ij] = dpj
            blocks[4, ij] = dSj
        end
        if in_j
            residual[2j] -= flux
            blocks[2, ji] = -dpi
            blocks[4, ji] = -dSi
            blocks[2, jj] -= dpj
            blocks[4, jj] -= dSj
        end
    end
    return nothing
end

# The pressure p_bh of a well at rate Q solves Σ_j a_j max(0, p_bh + d_j − p_j) = Q, with a_j = WI_j λ_t,j ρ_n,j and d_j
# the weight of the CO2 column. The sum is piecewise linear and increasing: drop the perforations that would flow back
# until none is left. With p_bh eliminated, the rate of perforation j depends on every other perforation k:
#
#   dq_j/dx_k = δ_jk (a_j' u_j − a_j ∂p_j/∂x) + a_j dp_bh/dx_k,   dp_bh/dx_k = (a_k ∂p_k/∂x − a_k' u_k) / Σ a
function accumulate_well!(sys::System, m::Model, state::State, w::Int, scheduled::Float64, part)
    sys.rates[w] = 0.0
    sys.bottom_hole[w] = NaN
    scheduled > 0 || return nothing
    well, P, sn = m.wells[w], sys.properties, 1 / m.fluids.co2_density
    a, a_p, a_S, u = sys.conductance, sys.conductance_p, sys.conductance_S, sys.drawdown
    count = length(well.cells)
    for (j, i) in enumerate(well.cells)
        WI = m.well_indices[w][j]
        a[j] = WI * P[LT, i] * P[RN, i]
        a_p[j] = WI * P[LT, i] * P[RN_P, i]
        a_S[j] = WI * (P[LT_S, i] * P[RN, i] + P[LT, i] * P[RN_S, i])
        u[j] = P[PN, i] - sys.well_head[w][j]                       # p_bh above which j takes CO2
    end
    pressure, total = balanced_pressure(a, u, count, scheduled)
    limited = pressure > well.pressure_limit
    limited && (pressure = well.pressure_limit)
    sys.bottom_hole[w] = pressure
    for j in 1:count
        u[j] = max(0.0, pressure - u[j])
    end
    for j in 1:count
        u[j] > 0 || continue
        i = well.cells[j]
        q = a[j] * u[j]
        sys.rates[w] += q
        holds(part, i) || continue
        sys.residual[2i] -= sn * q
        d = m.pattern.diagonal[i]
        sys.blocks[2, d] -= sn * (a_p[j] * u[j] - a[j])
        sys.blocks[4, d] -= sn * (a_S[j] * u[j] - a[j] * P[PN_S, i])
        limited && continue
        for k in 1:count
            u[k] > 0 || continue
            block = m.pattern.perforations[w][j, k]
            sys.blocks[2, block] -= sn * a[j] * (a[k] - a_p[k] * u[k]) / total
            sys.blocks[4, block] -= sn * a[j] * (a[k] * P[PN_S, well.cells[k]] - a_S[k] * u[k]) / total
        end
    end
    return nothing
end

# The pressure at which perforations with conductances a and thresholds u take the rate Q, and the sum of a over those
# that flow.
function balanced_pressure(a, u, count, Q)
    pressure, total = Inf, 0.0
    for _ in 1:(count + 1)
        numerator, denominator = Q, 0.0
        for j in 1:count
            u[j] < pressure || continue
            numerator += a[j] * u[j]
            denominator += a[j]
        end
        denominator > 0 || return Inf, 0.0
        next = numerator / denominator
        next == pressure && break
        pressure, total = next, denominator
    end
    return pressure, total
end
