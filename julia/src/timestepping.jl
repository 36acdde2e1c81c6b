"""
    Report

What happened to a member: `converged`, a `reason` when not, steps taken, cuts, Newton and linear iterations (wasted
ones included), mass of CO2 injected [kg], error of the mass balance of brine and CO2 [kg], the time reached [s], the
last pressure [Pa] of each well (NaN when shut) and its last mass rate [kg/s], and the seconds it took.
"""
mutable struct Report
    converged::Bool
    reason::String
    steps::Int
    cuts::Int
    newton::Int
    linear::Int
    injected::Float64
    brine_error::Float64
    co2_error::Float64
    time::Float64
    bottom_hole::Vector{Float64}
    rates::Vector{Float64}
    seconds::Float64
end

Report(start, wells) = Report(false, "", 0, 0, 0, 0, 0.0, 0.0, 0.0, start, fill(NaN, wells), zeros(wells), 0.0)

"""
    simulate(model, state, schedule, start, stop; control = StepControl(), solver = CPRSolver())

Carry one member from `start` to `stop` [s]. Returns the new [`State`](@ref) and a [`Report`](@ref); after a failure the
state is that of the last good step.
"""
function simulate(m::Model, state::State, schedule::Schedule, start, stop; control = StepControl(),
                  solver = CPRSolver())
    symbolic = SymbolicLU(m.pattern, nested_dissection(m.grid))
    return simulate!(Workspace(solver, m.pattern, symbolic), m, state, schedule, Float64(start), Float64(stop), control)
end

"As [`simulate`](@ref), in a workspace that can be used again."
function simulate!(ws::Workspace, m::Model, initial::State, schedule::Schedule, start::Float64, stop::Float64,
                   control::StepControl)
    begun = time()
    reset!(ws.linear)
    state = copy(initial)
    report = Report(start, length(m.wells))
    t, dt, last = start, 0.0, -1.0
    while t < stop
        k = period(schedule, t)
        finish = k < length(schedule.times) ? min(stop, schedule.times[k+1]) : stop
        for w in eachindex(m.wells)
            ws.scheduled[w] = rate(schedule, w, k)
        end
        total = sum(ws.scheduled)
        first_step = initial_step(m, ws.scheduled, control)
        dt = total > last ? (last < 0 ? first_step : min(dt, first_step)) : dt
        last = total
        t, dt = run_period!(ws, m, state, t, finish, dt, control, report)
        t < finish && break
    end
    report.converged = t >= stop
    report.time = t
    brine_old, co2_old = masses(m, initial)
    brine, co2 = masses(m, state)
    report.brine_error = sum(brine .- brine_old)          # differences per cell first: sums of huge cells would cancel
    report.co2_error = sum(co2 .- co2_old) - report.injected
    report.seconds = time() - begun
    return state, report
end

# Steps of one period of constant rates, from t to `finish`; the time reached is smaller when the member failed.
function run_period!(ws::Workspace, m::Model, state::State, t, finish, dt, control::StepControl, report::Report)
    while t < finish
        left = finish - t
        taken = dt >= left ? left : dt > 0.5 * left ? 0.5 * left : dt
        solved, newton, linear = newton_step!(ws, m, state, taken, control)
        report.newton += newton
        report.linear += linear
        if !solved
            report.cuts += 1
            dt = control.cut * taken
            if report.cuts > control.max_cuts || dt < control.minimum
                report.reason = failure(t, taken, report.cuts, newton, control)
                return t, dt
            end
            continue
        end
        if !is_plausible(m, ws.trial)
            report.reason = implausible(t + taken, ws.trial)
            return t, dt
        end
        copyto!(state.pressure, ws.trial.pressure)
        copyto!(state.saturation, ws.trial.saturation)
        copyto!(report.bottom_hole, ws.system.bottom_hole)
        copyto!(report.rates, ws.system.rates)
        report.injected += sum(ws.system.rates) * taken
        report.steps += 1
        t = taken == left ? finish : t + taken
        taken == dt && newton <= control.easy_newton && (dt = min(control.maximum, control.growth * dt))
    end
    return t, dt
end

days(t) = round(t / 86400; sigdigits = 5)
bars(p) = round(p / 1e5; sigdigits = 3)

failure(t, dt, cuts, newton, control::StepControl) = string(
    "no convergence at t = ", days(t), " days with a step of ", days(dt), " days after ", cuts, " cuts (",
    newton, " of ", control.max_newton, " Newton iterations in the last one)")

# The exponential laws hold for small changes only. A rate that tight rock cannot take shows as a pressure far beyond
# them.
function is_plausible(m::Model, state::State)
    f, rock = m.fluids, m.rock
    c = max(f.brine_compressibility, f.co2_compressibility, rock.compressibility)
    return all(p -> c * abs(p - f.reference_pressure) <= 1, state.pressure)
end

implausible(t, state::State) = string(
    "pressure between ", bars(minimum(state.pressure)), " and ", bars(maximum(state.pressure)), " bar at t = ", days(t),
    " days is beyond the laws of density: the rock cannot take the rate, give the well a pressure_limit")

function initial_step(m::Model, scheduled, control::StepControl)
    control.initial > 0 && return min(control.initial, control.maximum)
    step = control.maximum
    for (w, well) in enumerate(m.wells)
        scheduled[w] > 0 || continue
        volume = sum(m.pore_volume[i] for i in well.cells)
        step = min(step, volume * m.fluids.co2_density / scheduled[w])
    end
    return max(step, control.minimum)
end
