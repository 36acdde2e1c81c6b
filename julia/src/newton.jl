"Everything one task needs to run members one after the other, on a given pattern."
struct Workspace{L}
    system::System
    linear::L
    update::Vector{Float64}
    trial::State
    scheduled::Vector{Float64}        # rates in force: of the wells ...
    sources::SourceRates              # ... and of the sources
    region::LocalWorkspace
end

function Workspace(solver, pattern::Pattern)
    n = ncells(pattern)
    return Workspace(System(pattern), workspace(solver, pattern), zeros(2n),
                     State(zeros(n), zeros(n), zeros(n)), zeros(length(pattern.perforations)), SourceRates(),
                     LocalWorkspace(pattern))
end

"""
    newton_step!(ws, model, state, dt, control)

One implicit step from `state`, for which [`begin_step!`](@ref) or [`next_step!`](@ref) has been called; the result is
left in `ws.trial`. Returns whether it converged and the numbers of global Newton iterations, linear iterations in them,
and local Newton iterations.
"""
function newton_step!(ws::Workspace, m::Model, state::State, dt::Float64, control::StepControl)
    trial, limit = copyto!(ws.trial, state), control.max_saturation_change
    assemble!(ws.system, m, trial, dt, ws.scheduled, ws.sources)
    newton, linear, local_newton, in_a_row = 0, 0, 0, 0
    while true
        all(isfinite, ws.system.residual) || return false, newton, linear, local_newton
        is_converged(ws, m, dt, control, newton) && return true, newton, linear, local_newton
        if 0 < newton && in_a_row < control.max_local
            done, _ = local_step!(ws.region, ws.system, m, trial, dt, limit)
            if done
                assemble!(ws.system, m, trial, dt, ws.scheduled, ws.sources, ws.region.part)
                local_newton += 1
                in_a_row += 1
                continue
            end
        end
        newton == control.max_newton && return false, newton, linear, local_newton
        solved, iterations = solve!(ws.update, ws.linear, ws.system)
        newton += 1
        linear += iterations
        in_a_row = 0
        solved || return false, newton, linear, local_newton
        @inbounds for i in eachindex(trial.pressure)
            change!(trial, m, i, ws.update[2i-1], ws.update[2i], limit)
        end
        assemble!(ws.system, m, trial, dt, ws.scheduled, ws.sources)
    end
end

@inline function change!(trial::State, m::Model, i, δp, δS, limit)
    m.rock.active[i] || return nothing
    trial.pressure[i] += δp
    trial.saturation[i] = clamp(trial.saturation[i] + clamp(δS, -limit, limit), 0.0, 1.0)
    return nothing
end

function is_converged(ws::Workspace, m::Model, dt, control::StepControl, iteration)
    sys, f = ws.system, m.fluids
    brine_tolerance, co2_tolerance = control.tolerance_residual .* (iteration == 0 ? 1e-3 : 1.0)
    brine, co2, brine_in_place, co2_in_place = 0.0, 0.0, 0.0, 0.0
    # the rounding of the mass of a huge edge cell may be more than is asked for
    brine_rounding, co2_rounding = 4eps() / f.brine_density, 4eps() / f.co2_density
    @inbounds for i in eachindex(m.pore_volume)
        rw, rn = sys.residual[2i-1] * dt, sys.residual[2i] * dt
        abs(rw) <= brine_tolerance * m.pore_volume[i] + brine_rounding * sys.old_brine[i] || return false
        abs(rn) <= co2_tolerance * m.pore_volume[i] + co2_rounding * sys.old_co2[i] || return false
        brine += rw
        co2 += rn
        brine_in_place += sys.old_brine[i]
        co2_in_place += sys.old_co2[i]
    end
    injected = (sum(sys.rates) + sum(ws.sources.co2) + sum(ws.sources.brine)) * dt
    reference = injected > 0 ? injected : co2_in_place > 0 ? co2_in_place : 1e-3 * f.brine_density * sum(m.pore_volume)
    # and so may be the rounding of their sum
    return abs(brine) * f.brine_density <= control.tolerance_mass[1] * reference + 2 * eps(brine_in_place) &&
           abs(co2) * f.co2_density <= control.tolerance_mass[2] * reference + 2 * eps(co2_in_place)
end
