"""
    PiecewiseLinear(name, nodes, values)

A function given by `values` at ascending `nodes`: linear between them, constant outside. `name` is what an error about
it calls it. At a node the slope is that of the interval to the right.

A guide (one interval number for each of a few equal bins between the first and the last node) makes a lookup cost the
same however many nodes there are.
"""
struct PiecewiseLinear
    nodes::Vector{Float64}
    values::Vector{Float64}
    guide::Vector{Int}                # interval in which each bin begins; the last entry closes the last bin
    bins_per_unit::Float64

    function PiecewiseLinear(name, nodes, values)
        length(nodes) >= 2 || throw(ArgumentError("$name has $(length(nodes)) nodes: give at least two"))
        length(values) == length(nodes) ||
            throw(ArgumentError("$name has $(length(nodes)) nodes but $(length(values)) values: give one per node"))
        all(isfinite, nodes) && all(>(0), diff(nodes)) ||
            throw(ArgumentError("$name: nodes $(brief(nodes)) do not ascend, give finite, increasing ones"))
        all(isfinite, values) || throw(ArgumentError("$name: values $(brief(values)), give finite ones"))
        bins = 2 * length(nodes)
        width = (nodes[end] - nodes[1]) / bins
        guide = [clamp(searchsortedlast(nodes, nodes[1] + b * width), 1, length(nodes) - 1) for b in 0:bins]
        return new(collect(Float64, nodes), collect(Float64, values), guide, 1 / width)
    end
end

# The beginning of a vector, for messages.
brief(x) = length(x) <= 6 ? string(collect(x)) : string(collect(x[1:5]), " and ", length(x) - 5, " more")

"Value and slope of a [`PiecewiseLinear`](@ref) at x."
@inline function lookup(f::PiecewiseLinear, x)
    nodes, values = f.nodes, f.values
    @inbounds begin
        x < nodes[1] && return values[1], 0.0
        x < nodes[end] || return values[end], 0.0
        bin = min(unsafe_trunc(Int, (x - nodes[1]) * f.bins_per_unit) + 1, length(f.guide) - 1)
        low, high = f.guide[bin], f.guide[bin+1]
        while low < high                                    # rarely more than one turn
            middle = (low + high + 1) >> 1
            nodes[middle] <= x ? (low = middle) : (high = middle - 1)
        end
        slope = (values[low+1] - values[low]) / (nodes[low+1] - nodes[low])
        return values[low] + slope * (x - nodes[low]), slope
    end
end

never_falls(x) = all(>=(0), diff(x))
never_rises(x) = all(<=(0), diff(x))
