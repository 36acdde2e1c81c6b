# Curves and laws of the fluids against their definitions and against each other.

mobility_ratio(f, S) = (TwoPhaseFlow.brine_mobility(f, S)[1] * f.brine_viscosity,
                        TwoPhaseFlow.co2_mobility(f, S)[1] * f.co2_viscosity)

# ∫ f over (a, b) by the midpoint rule, graded towards both ends, where integrands may be singular
function integral(f, a, b)
    n = 20000
    x(t) = a + (b - a) * t^2 * (3 - 2t)
    return sum(f(x((k - 0.5) / n)) * 6 * ((k - 0.5) / n) * (1 - (k - 0.5) / n) * (b - a) / n for k in 1:n)
end

@testset "that the analytic curves are the integrals of Burdine and Mualem over the capillary pressure" begin
    λ, m = 1.7, 0.6
    burdine(S) = S^(2 / λ)                                       # 1/p_c² of Brooks and Corey
    mualem(S) = (S^(-1 / m) - 1)^(m - 1)                         # 1/p_c of van Genuchten
    for Se in (0.2, 0.5, 0.9)
        S = 1 - (0.1 + 0.7 * Se)                                 # residuals 0.1 and 0.2
        f = Fluids(; co2_residual = 0.2, relative_permeability = BrooksCoreyCurves(λ))
        whole = integral(burdine, 0, 1)
        @test mobility_ratio(f, S)[1] ≈ Se^2 * integral(burdine, 0, Se) / whole rtol = 1e-6      # midpoint rule
        @test mobility_ratio(f, S)[2] ≈ (1 - Se)^2 * integral(burdine, Se, 1) / whole rtol = 1e-6
        f = Fluids(; co2_residual = 0.2, relative_permeability = VanGenuchtenCurves(m))
        whole = integral(mualem, 0, 1)
        @test mobility_ratio(f, S)[1] ≈ sqrt(Se) * (integral(mualem, 0, Se) / whole)^2 rtol = 1e-4
        @test mobility_ratio(f, S)[2] ≈ sqrt(1 - Se) * (integral(mualem, Se, 1) / whole)^2 rtol = 1e-4
    end
end

@testset "that curves run from one endpoint to the other ($(typeof(curve)))" for curve in (
        Corey(3.0, 1.5), BrooksCoreyCurves(2.0), VanGenuchtenCurves(0.2), VanGenuchtenCurves(0.8))
    f = Fluids(; co2_residual = 0.2, brine_endpoint = 0.9, co2_endpoint = 0.6, relative_permeability = curve)
    @test all(isapprox.(mobility_ratio(f, 0.2), (0.9, 0.0); atol = 1e-12))
    @test all(isapprox.(mobility_ratio(f, 0.9), (0.0, 0.6); atol = 1e-12))
    @test mobility_ratio(f, 0.0) == mobility_ratio(f, 0.1) && mobility_ratio(f, 1.0) == mobility_ratio(f, 0.95)
    S = range(0.2, 0.9; length = 400)
    @test issorted([mobility_ratio(f, s)[1] for s in S]; rev = true) && issorted([mobility_ratio(f, s)[2] for s in S])
    # the chord that replaces an infinite slope begins where the curve is
    below, above = mobility_ratio(f, 0.2 + 0.7 * 0.999999e-6), mobility_ratio(f, 0.2 + 0.7 * 1.000001e-6)
    @test all(abs.(below .- above) .< 1e-6)
end

@testset "that a table finely made of a curve is that curve" begin
    S = collect(range(0, 1; length = 2001))
    analytic = Fluids(; relative_permeability = BrooksCoreyCurves(2.0), capillarity = BrooksCorey(2e4, 2.0, 0.1))
    k = [mobility_ratio(analytic, s) for s in S]
    capillary(f, s) = TwoPhaseFlow.capillary_pressure(f.capillarity, s)[1]
    table = Fluids(; relative_permeability = TabulatedCurves(S, first.(k), last.(k)),
                   capillarity = TabulatedCapillarity(S, [capillary(analytic, s) for s in S]))
    for s in rand(MersenneTwister(11), 200) .* 0.8
        # ⅛ h² |k″| with h = 5e-4 and |k″| < 30
        @test all(abs.(mobility_ratio(table, s) .- mobility_ratio(analytic, s)) .< 1e-6)
        @test capillary(table, s) ≈ capillary(analytic, s) rtol = 1e-5
    end
    @test TwoPhaseFlow.residual_brine(table) ≈ 0.1 atol = 1e-3
    @test TwoPhaseFlow.residual_co2(table) ≈ 0.1 atol = 1e-3
end

@testset "that a table is found whatever its nodes" begin
    rng = MersenneTwister(12)
    for nodes in ([0.0, 1.0], sort(rand(rng, 30)), vcat(0.0, 0.3 .+ 1e-9 .* (1:20), 0.9), [0.2, 0.20001, 0.9])
        values = randn(rng, length(nodes))
        table = TwoPhaseFlow.PiecewiseLinear("table", nodes, values)
        for x in vcat(nodes, rand(rng, 100), nodes[2] .+ 1e-10 .* randn(rng, 20))
            k = searchsortedlast(nodes, x)
            slope = 0 < k < length(nodes) ? (values[k+1] - values[k]) / (nodes[k+1] - nodes[k]) : 0.0
            value = values[max(k, 1)] + (k == 0 ? 0.0 : slope * (x - nodes[k]))
            @test TwoPhaseFlow.lookup(table, x) == (value, slope)
        end
    end
end

@testset "that densities follow their laws" begin
    at(law, p) = TwoPhaseFlow.co2_density_and_slope(Fluids(; co2_compressibility = 1e-8, co2_density_law = law), p)
    X = 0.2
    p = 150e5 + X / 1e-8
    @test at("exponential", p)[1] ≈ 700 * exp(X)
    @test at("linear", p)[1] ≈ 700 * 1.2
    @test at("quadratic", p)[1] ≈ 700 * 1.22
    for law in ("exponential", "linear", "quadratic")
        @test at(law, 150e5) == (700.0, 700e-8)
        @test at(law, p)[2] ≈ (at(law, p + 100)[1] - at(law, p - 100)[1]) / 200 rtol = 1e-7      # central difference
    end
    f = Fluids(; brine_density_law = "linear", brine_compressibility = 1e-9)
    @test TwoPhaseFlow.brine_density(f, 160e5) ≈ 1000 * 1.001
    @test TwoPhaseFlow.brine_density(Fluids(; brine_compressibility = 0.0), 1e9) == 1000
end

@testset "that curves which cannot be are refused" begin
    refused(make, text) = occursin(text, try make(); "" catch err; sprint(showerror, err) end)
    @test refused(() -> TabulatedCurves([0.0, 0.5, 0.5], [1.0, 0.5, 0.0], [0.0, 0.5, 1.0]), "ascend")
    @test refused(() -> TabulatedCurves([0.0, 1.5], [1.0, 0.0], [0.0, 1.0]), "curve_saturation")
    @test refused(() -> TabulatedCurves([0.0, 0.5, 1.0], [1.0, 0.5, 0.6], [0.0, 0.5, 1.0]), "curve_brine")
    @test refused(() -> TabulatedCurves([0.0, 0.5, 1.0], [1.0, 0.5, 0.0], [0.0, 0.5, 0.4]), "curve_co2")
    @test refused(() -> TabulatedCurves([0.0, 1.0], [1.0, -0.1], [0.0, 1.0]), "curve_brine")
    @test refused(() -> TabulatedCurves([0.0, 1.0], [1.0, 0.0], [0.0, 0.5, 1.0]), "curve_co2")
    @test refused(() -> TabulatedCurves([0.0], [1.0], [0.0]), "two")
    @test refused(() -> TabulatedCurves([0.0, 1.0], [1.0, NaN], [0.0, 1.0]), "curve_brine")
    @test refused(() -> TabulatedCapillarity([0.0, 1.0], [2e4, 1e4]), "capillary_table")
    @test refused(() -> TabulatedCapillarity([0.0, 1.0], [-1.0, 1e4]), "capillary_table")
    @test refused(() -> VanGenuchtenCurves(1.0), "curve_van_genuchten_m")
    @test refused(() -> BrooksCoreyCurves(0.0), "curve_pore_size_index")
    @test refused(() -> Fluids(; co2_density_law = "cubic"), "cubic")
    @test refused(() -> Fluids(; land_coefficient = 0.0), "land_coefficient")
end
