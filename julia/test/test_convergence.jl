# Order of convergence on a smooth problem: a hump of CO2 in a horizontal line, spread by capillary pressure and carried
# along by injected brine. Cells of three lines are compared by their averages over the coarsest cells.

function carried_hump(cells, steps)
    h = 400.0 / cells
    g = Grid(cells, 1, 1, h, 1.0, 1.0; top = 1000.0)
    fluids = Fluids(; co2_residual = 0.0, capillarity = BrooksCorey(2e4, 2.0, 0.1))
    rock = Rock(fill(0.2, cells), fill(1e-13, cells); pore_volume_multiplier = vcat(ones(cells - 1), 1e7))
    m = Model(g, rock, fluids, Well[])
    x = h .* ((1:cells) .- 0.5)
    # cell averages of the hump by Simpson's rule, so that all lines begin with the same CO2
    hump(x) = 0.5 * exp(-((x - 150) / 50)^2)
    start = State(fill(100e5, cells), [(hump(s - h / 2) + 4hump(s) + hump(s + h / 2)) / 6 for s in x])
    sources = Sources([1], [0.0], zeros(1, 1), fill(1e-3, 1, 1))
    control = StepControl(; ends = collect(range(0.0, 100DAY; length = steps + 1))[2:end], tolerance_residual = 1e-9)
    state, report = simulate(m, start, Schedule(Float64[], zeros(0, 0)), 0.0, 100DAY; sources = sources,
                             control = control, solver = DirectSolver())
    @test report.converged && report.cuts == 0
    return vec(sum(reshape(state.saturation, cells ÷ 50, 50); dims = 1)) ./ (cells ÷ 50)
end

@testset "that refinement in space, and in time, converges at first order" begin
    # successive differences of a first-order method halve: 2, less or more by the next order
    difference(a, b) = sum(abs, a[1:end-1] .- b[1:end-1])       # the last cell is the aquifer
    space = [carried_hump(cells, 100) for cells in (100, 200, 400)]
    @test 1.7 < difference(space[1], space[2]) / difference(space[2], space[3]) < 2.3
    time = [carried_hump(100, steps) for steps in (25, 50, 100)]
    @test 1.7 < difference(time[1], time[2]) / difference(time[2], time[3]) < 2.3
    @test difference(time[1], time[2]) > 1e-2                   # there is something to converge
end

@testset "that flow which moves less in a step than the tolerance does not stand still" begin
    g = Grid(1, 1, 10, 10.0, 10.0, 2.0; top = 1000.0)
    m = Model(g, Rock(fill(0.2, 10), fill(1e-17, 10)), Fluids(), Well[])
    start = State(hydrostatic_pressure(g, Fluids()), fill(0.4, 10))
    function rise(tolerance)
        control = StepControl(; ends = collect(DAY:DAY:50DAY), tolerance_residual = tolerance)
        state, report = simulate(m, start, Schedule(Float64[], zeros(0, 0)), 0.0, 50DAY; control = control,
                                 solver = DirectSolver())
        @test report.converged
        return state.saturation .- start.saturation
    end
    exact = rise(1e-12)
    @test 1e-6 < maximum(abs, exact) / 50 < 1e-5                # per step, of the pore volume
    @test maximum(abs, rise(1e-5) .- exact) < 0.01 * maximum(abs, exact)
end
