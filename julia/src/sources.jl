"""
    Sources(cells, times, co2, brine)

Mass sources without a well: from `times[k]` [s] until `times[k+1]` (the last for ever) cell `cells[s]` receives
`co2[s, k]` and `brine[s, k]` [kg/s], whatever its pressure; nothing before `times[1]`. `Sources()` has none.
"""
struct Sources
    cells::Vector{Int}
    times::Vector{Float64}
    co2::Matrix{Float64}
    brine::Matrix{Float64}

    function Sources(cells, times, co2, brine)
        for (name, rates) in (("source_co2", co2), ("source_brine", brine))
            size(rates) == (length(cells), length(times)) || throw(ArgumentError(string(
                name, " has ", size(rates, 2), " times of ", size(rates, 1), " sources: give ", length(times), " of ",
                length(cells))))
            all(q -> isfinite(q) && q >= 0, rates) ||
                throw(ArgumentError("$name: give finite rates of 0 or more in kg/s (injection only)"))
        end
        check_times("source_times", times)
        return new(cells, times, co2, brine)
    end
end

Sources() = Sources(Int[], Float64[], zeros(0, 0), zeros(0, 0))

"Refuse sources outside the grid and in inactive cells."
function check_sources(sources::Sources, active)
    for cell in sources.cells
        1 <= cell <= length(active) ||
            throw(ArgumentError("source_cells: cell $cell lies outside the grid of $(length(active)) cells"))
        active[cell] || throw(ArgumentError("source_cells: cell $cell is inactive, move the source"))
    end
    return nothing
end

"The source rates [kg/s] of one period, ready for assembly."
struct SourceRates
    cells::Vector{Int}
    co2::Vector{Float64}
    brine::Vector{Float64}
end

SourceRates() = SourceRates(Int[], Float64[], Float64[])

"Set the rates to those in force just after time t."
function set_period!(rates::SourceRates, sources::Sources, t)
    n, k = length(sources.cells), searchsortedlast(sources.times, t)
    foreach(v -> resize!(v, n), (rates.cells, rates.co2, rates.brine))
    copyto!(rates.cells, sources.cells)
    for s in 1:n
        rates.co2[s] = k == 0 ? 0.0 : sources.co2[s, k]
        rates.brine[s] = k == 0 ? 0.0 : sources.brine[s, k]
    end
    return nothing
end
