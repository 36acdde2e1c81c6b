"""
    StepControl(; initial = 0.0, maximum = 20 days, minimum = 1.0, growth = 2.0, cut = 0.5, max_cuts = 30,
                max_newton = 12, easy_newton = 7, max_saturation_change = 0.2, tolerance_residual = 1e-5,
                tolerance_mass = 1e-9)

How time is stepped and when Newton's iteration has converged.

- `initial`, `maximum`, `minimum` step [s]. `initial = 0` chooses the time in which the wells would fill the pore space
  of the cells they are open in (again whenever a rate rises).
- A step that needs more than `max_newton` iterations is repeated with `cut` times its length; after `max_cuts` cuts, or
  below `minimum`, the member fails. A step of at most `easy_newton` iterations lets the next one be `growth` times
  longer.
- An iteration changes no saturation by more than `max_saturation_change`.
- Converged: in every cell |R_α| Δt ≤ `tolerance_residual` pore volumes, and summed over the model each phase balances
  to `tolerance_mass` of the mass injected in the step (of the CO2 in place when nothing is injected).
"""
Base.@kwdef struct StepControl
    initial::Float64 = 0.0
    maximum::Float64 = 20 * 86400.0
    minimum::Float64 = 1.0
    growth::Float64 = 2.0
    cut::Float64 = 0.5
    max_cuts::Int = 30
    max_newton::Int = 12
    easy_newton::Int = 7
    max_saturation_change::Float64 = 0.2
    tolerance_residual::Float64 = 1e-5
    tolerance_mass::Float64 = 1e-9
end

"Everything one task needs to run members one after the other, on a given pattern."
struct Workspace{L}
    system::System
    linear::L
    update::Vector{Float64}
    trial::State
    scheduled::Vector{Float64}
end

function Workspace(solver, pattern::Pattern, symbolic)
    n = ncells(pattern)
    return Workspace(System(pattern), workspace(solver, pattern, symbolic), zeros(2n), State(zeros(n), zeros(n)),
                     zeros(length(pattern.perforations)))
end

"""
    newton_step!(ws, model, state, dt, control)

One implicit step from `state`; the result is left in `ws.trial`. Returns (converged, Newton iterations, linear
iterations).
"""
function newton_step!(ws::Workspace, m::Model, state::State, dt::Float64, control::StepControl)
    trial, δ = ws.trial, ws.update
    copyto!(trial.pressure, state.pressure)
    copyto!(trial.saturation, state.saturation)
    begin_step!(ws.system, m, state)
    linear = 0
    for iteration in 0:control.max_newton
        assemble!(ws.system, m, trial, dt, ws.scheduled)
        all(isfinite, ws.system.residual) || return false, iteration, linear
        is_converged(ws.system, m, dt, control) && return true, iteration, linear
        iteration == control.max_newton && break
        solved, iterations = solve!(δ, ws.linear, ws.system)
        linear += iterations
        solved || return false, iteration + 1, linear
        limit = control.max_saturation_change
        @inbounds for i in eachindex(trial.pressure)
            trial.pressure[i] += δ[2i-1]
            trial.saturation[i] = clamp(trial.saturation[i] + clamp(δ[2i], -limit, limit), 0.0, 1.0)
        end
    end
    return false, control.max_newton, linear
end

function is_converged(sys::System, m::Model, dt, control::StepControl)
    f, tolerance = m.fluids, control.tolerance_residual
    brine, co2, brine_in_place, co2_in_place = 0.0, 0.0, 0.0, 0.0
    @inbounds for i in eachindex(m.pore_volume)
        rw, rn = sys.residual[2i-1] * dt, sys.residual[2i] * dt
        largest = tolerance * m.pore_volume[i]
        (abs(rw) <= largest && abs(rn) <= largest) || return false
        brine += rw
        co2 += rn
        brine_in_place += sys.old_brine[i]
        co2_in_place += sys.old_co2[i]
    end
    injected = sum(sys.rates) * dt
    reference = injected > 0 ? injected : co2_in_place > 0 ? co2_in_place : 1e-3 * f.brine_density * sum(m.pore_volume)
    allowed = control.tolerance_mass * reference
    # the second term is the rounding of the masses of huge edge cells
    return abs(brine) * f.brine_density <= allowed + 2 * eps(brine_in_place) &&
           abs(co2) * f.co2_density <= allowed + 2 * eps(co2_in_place)
end
