# What `run_case` writes into its dictionary.

"Fields and balances at report times, filled by several threads at once, each in its members."
struct ReportArrays
    shape::Tuple                      # of a field over reports and members, as the caller sees it
    saturation::Array{Float64,3}      # cell, report, member
    pressure::Array{Float64,3}
    co2_pressure::Array{Float64,3}
    balance::Array{Float64,3}         # quantity, report, member
end

function ReportArrays(shape, n, members, times)
    empty(rows) = fill(NaN, rows, times, members)
    grid = length(shape) == 1 ? (n,) : shape[1:end-1]
    return ReportArrays((grid..., times, members), empty(n), empty(n), empty(n), empty(6))
end

function record!(r::ReportArrays, fluids::Fluids, active, m, k, state::State, balance::Balance)
    for i in eachindex(state.pressure)
        S, p = state.saturation[i], state.pressure[i]
        r.saturation[i, k, m] = S
        r.pressure[i, k, m] = p
        r.co2_pressure[i, k, m] = active[i] ? p + capillary_pressure(fluids.capillarity, S)[1] : p
    end
    for q in 1:6
        r.balance[q, k, m] = getfield(balance, q)
    end
    return nothing
end

"Member m alone."
function only_member(r::ReportArrays, m)
    return ReportArrays((r.shape[1:end-1]..., 1), r.saturation[:, :, m:m], r.pressure[:, :, m:m], r.co2_pressure[:, :, m:m],
                        r.balance[:, :, m:m])
end

"What `run_case` gives for an ensemble of member m alone."
function case_member(m, state::State, report::Report, reported::ReportArrays, fluids::Fluids, shape)
    of_one = length(shape) == 1 ? (length(state.pressure),) : (shape[1:end-1]..., 1)
    return case_outputs([state], [report], only_member(reported, m), fluids, of_one)
end

function case_outputs(results, reports, reported::ReportArrays, fluids::Fluids, shape)
    outputs = case_results(results, reports, shape, length(reports[1].rates))
    isfinite(fluids.land_coefficient) || delete!(outputs, "maximum_saturation")
    size(reported.saturation, 2) == 0 || merge!(outputs, case_reports(reported))
    return outputs
end

function case_reports(r::ReportArrays)
    outputs = Dict{String,Any}("report_saturation" => reshape(r.saturation, r.shape),
                               "report_pressure" => reshape(r.pressure, r.shape),
                               "report_co2_pressure" => reshape(r.co2_pressure, r.shape))
    for (q, name) in enumerate(fieldnames(Balance))
        outputs["report_$name"] = r.balance[q, :, :]
    end
    return outputs
end

function case_results(results, reports, shape, wells)
    outputs = Dict{String,Any}()
    for name in (:saturation, :pressure, :maximum_saturation)
        field = Array{Float64}(undef, shape)
        by_cell = reshape(field, :, length(results))
        for (m, state) in enumerate(results)
            by_cell[:, m] .= reports[m].converged ? getfield(state, name) : NaN
        end
        outputs[String(name)] = field
    end
    outputs["status"] = Int64[r.converged ? 0 : 1 for r in reports]
    outputs["reason"] = join([r.reason for r in reports], '\n')
    outputs["stack"] = join([r.stack for r in reports], '\f')
    for (key, field) in (("steps", :steps), ("cuts", :cuts), ("newton_iterations", :newton),
                         ("linear_iterations", :linear), ("local_iterations", :local_newton))
        outputs[key] = Int64[getfield(r, field) for r in reports]
    end
    for (key, field) in (("injected_mass", :injected), ("injected_brine", :injected_brine),
                         ("brine_error", :brine_error), ("co2_error", :co2_error), ("final_time", :time),
                         ("seconds", :seconds))
        outputs[key] = Float64[getfield(r, field) for r in reports]
    end
    outputs["bottom_hole_pressure"] = Float64[reports[m].bottom_hole[w] for w in 1:wells, m in eachindex(reports)]
    outputs["well_rate"] = Float64[reports[m].rates[w] for w in 1:wells, m in eachindex(reports)]
    return merge!(outputs, case_history(reports))
end

function case_history(reports)
    count, started, steps = Int64[], Float64[], Float64[]
    newton, linear, accepted = Int64[], Int64[], Int64[]
    for r in reports
        push!(count, length(r.history))
        for a in r.history
            push!(started, a.time)
            push!(steps, a.length)
            push!(newton, a.newton)
            push!(linear, a.linear)
            push!(accepted, a.accepted)
        end
    end
    return Dict{String,Any}("history_count" => count, "history_time" => started, "history_step" => steps,
                            "history_newton" => newton, "history_linear" => linear, "history_accepted" => accepted)
end
