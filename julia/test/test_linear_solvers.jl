@testset "that the scalar factorisation solves" begin
    rng = MersenneTwister(5)
    g = Grid(7, 3, 9, 1.0, 1.0, 1.0)
    # distant perforations: coupling off the stencil
    pattern = Pattern(g, [Well([cell_index(g, 3, 2, k) for k in (2, 5, 8)])])
    n = ncells(g)
    values = randn(rng, length(pattern.colind))
    values[pattern.diagonal] .+= 8.0
    A = zeros(n, n)
    for i in 1:n, q in pattern.rowptr[i]:(pattern.rowptr[i+1]-1)
        A[i, pattern.colind[q]] = values[q]
    end
    order = TwoPhaseFlow.nested_dissection(g)
    @test sort(order) == 1:n
    F = TwoPhaseFlow.NumericLU(TwoPhaseFlow.SymbolicLU(pattern, order))
    @test TwoPhaseFlow.factorize!(F, values)
    b, x = randn(rng, n), zeros(n)
    TwoPhaseFlow.solve!(x, F, b)
    @test x ≈ A \ b rtol = 1e-12                                # rounding at condition number of about 10
    values[pattern.diagonal[order[1]]] = 0.0
    @test !TwoPhaseFlow.factorize!(F, values)                   # a vanishing first pivot is told, not hidden
end

@testset "that direct and iterative solvers agree" begin
    g = Grid(20, 1, 16, 50.0, 100.0, 20.0; top = 1000.0)
    K = 10.0 .^ (-18 .+ 6 .* rand(MersenneTwister(6), ncells(g)))       # six decades, cell by cell
    m = Model(g, Rock(fill(0.25, ncells(g)), K; kv_over_kh = 0.36, edge_multiplier = 1e6), Fluids(),
              [Well([cell_index(g, 10, 1, k) for k in 9:13])])
    start = State(hydrostatic_pressure(g, Fluids()), zeros(ncells(g)))
    run(solver) = simulate(m, start, Schedule([0.0], fill(2.0, 1, 1)), 0.0, 200DAY; solver = solver)
    direct, report = run(DirectSolver())
    iterative, report_iterative = run(CPRSolver())
    @test report.converged && report_iterative.converged
    @test report.steps == report_iterative.steps
    # both stop Newton at 1e-5 pore volumes, at different iterates
    @test maximum(abs, direct.saturation .- iterative.saturation) < 1e-4
    @test direct.pressure ≈ iterative.pressure rtol = 1e-4
    @test report_iterative.linear < 12report_iterative.newton   # the preconditioner works
end
