"""
    StepControl(; initial = 0.0, maximum = 20 days, minimum = 1.0, growth = 2.0, cut = 0.5, max_cuts = 30,
                max_newton = 12, easy_newton = 7, max_local = 8, max_saturation_change = 0.2,
                tolerance_residual = 1e-5, tolerance_mass = 1e-9, ends = [])

How time is stepped and when Newton's iteration has converged.

- `initial`, `maximum`, `minimum` step [s]. `initial = 0` chooses the time in which the wells would fill the pore space
  of the cells they are open in (again whenever a rate rises).
- A step that needs more than `max_newton` iterations is repeated with `cut` times its length; after more than
  `max_cuts` cuts of one step, or below `minimum`, the member fails. A step of at most `easy_newton` iterations lets the
  next one be `growth` times longer.
- `ends` [s]: when given, steps end at these times (and where rates change or a report is due) and nowhere else as long
  as they converge; a step that fails is cut, and its pieces grow again until the prescribed end.
- Between two global iterations, up to `max_local` local ones follow the front (see local_newton.jl); 0: none.
- An iteration changes no saturation by more than `max_saturation_change`.
- Converged: in every cell |R_α| Δt ≤ `tolerance_residual` pore volumes, and summed over the model each phase balances
  to `tolerance_mass` of the mass injected in the step (of the CO2 in place when nothing is injected). Either is one
  number, or two: for brine and for CO2. A state that is to be accepted without any iteration must fulfil the first
  a thousand times better, or slow flow would stand still.
"""
struct StepControl
    initial::Float64
    maximum::Float64
    minimum::Float64
    growth::Float64
    cut::Float64
    max_cuts::Int
    max_newton::Int
    easy_newton::Int
    max_local::Int
    max_saturation_change::Float64
    tolerance_residual::NTuple{2,Float64}
    tolerance_mass::NTuple{2,Float64}
    ends::Vector{Float64}

    function StepControl(; initial = 0.0, maximum = 20 * 86400.0, minimum = 1.0, growth = 2.0, cut = 0.5, max_cuts = 30,
                         max_newton = 12, easy_newton = 7, max_local = 8, max_saturation_change = 0.2,
                         tolerance_residual = 1e-5, tolerance_mass = 1e-9, ends = Float64[])
        initial >= 0 || throw(ArgumentError("step initial = $initial: give a time in seconds, or 0 for a choice"))
        for (name, value) in (("maximum", maximum), ("minimum", minimum),
                              ("max_saturation_change", max_saturation_change))
            value > 0 || throw(ArgumentError("step $name = $value: give a positive number"))
        end
        growth >= 1 || throw(ArgumentError("step growth = $growth: give 1 or more"))
        0 < cut < 1 || throw(ArgumentError("step cut = $cut: give a factor between 0 and 1"))
        (max_cuts >= 0 && max_newton >= 1 && max_local >= 0) ||
            throw(ArgumentError("step max_cuts = $max_cuts, max_newton = $max_newton, max_local = $max_local: " *
                                "give 0 or more, 1 or more, 0 or more"))
        check_times("step_ends", ends)
        return new(initial, maximum, minimum, growth, cut, max_cuts, max_newton, easy_newton, max_local,
                   max_saturation_change, by_phase("step tolerance_residual", tolerance_residual),
                   by_phase("step tolerance_mass", tolerance_mass), collect(Float64, ends))
    end
end

function by_phase(name, value)
    1 <= length(value) <= 2 && all(x -> isfinite(x) && x > 0, value) ||
        throw(ArgumentError("$name = $value: give one positive number, or two (brine, CO2)"))
    return (Float64(first(value)), Float64(last(value)))
end

# Times closer together than this are the same: one of them was rounded on its way.
same_time(t) = 1e-11 * max(abs(t), 1.0)

"The times in (start, stop] where a step has to end: where rates change, where a report is due, and `stop` itself."
function landings(start, stop, lists...)
    inner = filter(t -> t > start + same_time(start) && t < stop - same_time(stop), vcat(Float64[], lists...))
    times = Float64[]
    for t in sort(inner)
        isempty(times) || t - times[end] > same_time(t) || continue
        push!(times, t)
    end
    return push!(times, stop)
end

"The end of the prescribed step that begins at t, `finish` at the latest."
function prescribed_end(ends, t, finish)
    k = searchsortedfirst(ends, t + same_time(t))
    return k <= length(ends) && ends[k] < finish - same_time(finish) ? ends[k] : finish
end
