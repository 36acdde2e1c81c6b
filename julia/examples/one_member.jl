# One member of a storage site, in Julia alone: CO2 is injected for two years into a layered section and then rests.
#
#     julia --project=julia julia/examples/one_member.jl
#
# Prints the plume's mass and height after every year. Standard library only.

using TwoPhaseFlow

const DAY, YEAR, BAR, MILLIDARCY = 86400.0, 365.25 * 86400.0, 1e5, 9.869233e-16

# A section of 2 km × 160 m, 100 m thick, whose upper face lies at 1000 m
grid = Grid(40, 1, 16, 50.0, 100.0, 10.0; top = 1000.0)
cells = 40 * 16

# Cells are numbered with z fastest: every fourth layer is tight
layer = repeat(1:16, 40)
permeability = [k % 4 == 0 ? 5.0MILLIDARCY : 200.0MILLIDARCY for k in layer]
fluids = Fluids(; reference_pressure = 150BAR, relative_permeability = Corey(2.0, 2.0), land_coefficient = 2.0)
rock = Rock(fill(0.25, cells), permeability; kv_over_kh = 0.36, edge_multiplier = 1e6)

# The well is open in the three lowest layers of column 20; 0.005 m³/s of CO2 at its reference density
well = Well([19 * 16 + k for k in 14:16]; pressure_limit = 160BAR)
schedule = Schedule([0.0, 2YEAR], [0.005 * 700.0, 0.0]')

model = TwoPhaseFlow.Model(grid, rock, fluids, [well])
start = State(hydrostatic_pressure(grid, fluids), zeros(cells))

function show_year(k, state, balance)
    reached = findall(>(0.01), state.saturation)
    height = 10.0 * (17 - minimum(layer[reached]))
    println("year ", k, ": ", round(balance.co2_mass / 1e3; digits = 1), " t of CO2 in place, ",
            round(balance.co2_injected / 1e3; digits = 1), " t injected, plume ", height, " m high")
end

state, report = simulate(model, start, schedule, 0.0, 5YEAR; report_times = (1:5) .* YEAR, observe = show_year)
println(report.converged ? "done: " : "failed: $(report.reason); ", report.steps, " steps, ", report.newton,
        " Newton iterations, balance of CO2 within ", round(abs(report.co2_error); sigdigits = 1), " kg")
