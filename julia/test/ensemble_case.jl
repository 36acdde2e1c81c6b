# Five members of a small section with random permeability, as a dictionary for `run_case`.
function ensemble_case(; members = 5)
    nx, nz = 12, 10
    K = exp.(0.8 .* randn(MersenneTwister(7), nz, nx, members)) .* 1e-13
    p = hydrostatic_pressure(Grid(nx, 1, nz, 50.0, 100.0, 20.0; top = 1000.0), Fluids())
    return Dict{String,Any}(
        "shape" => Int64[nx, 1, nz], "spacing" => [50.0, 100.0, 20.0], "top" => 1000.0, "permeability" => K,
        "saturation" => zeros(nz, nx, members),
        "pressure" => repeat(reshape(p, nz, nx), 1, 1, members), "porosity" => fill(0.25),
        "kv_over_kh" => [0.36], "edge_multiplier" => 1e6, "start" => 0.0, "stop" => 100DAY,
        "well_cells" => Int64[5 5; 0 0; 6 7], "well_of_cell" => Int64[0, 0],
        "well_radius" => [0.1], "well_skin" => [0.0],
        "well_pressure_limit" => [Inf], "schedule_times" => [0.0], "schedule_rates" => fill(0.01, 1, 1))
end
