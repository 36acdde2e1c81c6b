"One attempt to make a step: where it began [s], its length [s], iterations spent, and whether it was accepted."
struct Attempt
    time::Float64
    length::Float64
    newton::Int
    linear::Int
    accepted::Bool
end

"""
    Report

What happened to a member: `converged`, a `reason` when not, steps taken, cuts, iterations (`newton`, `linear`, and
`local_newton` on the front alone; wasted ones included), mass of CO2 and of brine injected [kg], error of the mass
balance of brine and CO2 [kg], the time reached [s], the last pressure [Pa] of each well (NaN when shut) and its last
mass rate [kg/s], the seconds it took, the `history` of all attempts, and the `stack` where something was thrown. When
`time_limit` seconds have gone by since `begun`, no further step is tried.
"""
mutable struct Report
    converged::Bool
    reason::String
    steps::Int
    cuts::Int
    newton::Int
    linear::Int
    local_newton::Int
    injected::Float64
    injected_brine::Float64
    brine_error::Float64
    co2_error::Float64
    time::Float64
    bottom_hole::Vector{Float64}
    rates::Vector{Float64}
    seconds::Float64
    history::Vector{Attempt}
    stack::String
    begun::Float64
    time_limit::Float64
end

Report(start, wells; time_limit = Inf) =
    Report(false, "", 0, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, start, fill(NaN, wells), zeros(wells), 0.0, Attempt[], "",
           clock(), time_limit)

# Seconds of a clock that nobody sets: the time of day jumps when a machine is woken or corrected, and no member is to
# be given up for that.
clock() = 1e-9 * time_ns()

is_overdue(report::Report) = clock() - report.begun >= report.time_limit

"""
    Balance

Masses [kg] of a member at one time: in place, injected since the start, and the error of their balance.
"""
struct Balance
    brine_mass::Float64
    co2_mass::Float64
    brine_injected::Float64
    co2_injected::Float64
    brine_error::Float64
    co2_error::Float64
end

function Balance(m::Model, before, state::State, report::Report)
    brine, co2 = masses(m, state)
    in_place = (sum(brine), sum(co2))
    # differences per cell first: sums of huge edge cells would cancel
    brine .-= before[1]
    co2 .-= before[2]
    return Balance(in_place..., report.injected_brine, report.injected, sum(brine) - report.injected_brine,
                   sum(co2) - report.injected)
end
