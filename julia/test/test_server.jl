# The server's side of the wire, without a process around it.

include(joinpath(@__DIR__, "..", "src", "server.jl"))

@testset "server" begin
    @testset "any text survives the encoding as one token" begin
        for text in ("", "plain", "two words", "100 %", "%41", "Grüße, κ\n\tλ", String(UInt8[0x01:0x7f;]))
            token = SeisflowServer.encode(text)
            @test !any(isspace, token)
            @test SeisflowServer.decode(token) == text
        end
    end

    @testset "arrays of a file are read where they begin, in reverse order of axes" begin
        mktempdir() do folder
            path = joinpath(folder, "inputs")
            open(io -> (write(io, Int32[7, 8]); seek(io, 64); write(io, collect(1.0:6.0))), path, "w")
            values = SeisflowServer.readvalues(["array i int32 $path 0 2", "array a float64 $path 64 2 3",
                                                "array none bool $path 64 0 3", "array point float64 $path 64"])
            @test values["i"] == [7, 8]
            @test values["a"] == reshape(1.0:6.0, 3, 2)  # (2, 3) of NumPy
            @test size(values["none"]) == (3, 0)
            @test values["point"] == fill(1.0)
        end
    end

    @testset "writing into a mapped input leaves the file as it was" begin
        mktempdir() do folder
            path = joinpath(folder, "inputs")
            n = 2 * SeisflowServer.MAPPED ÷ 8                     # large enough to be mapped
            write(path, collect(1.0:n))
            array = SeisflowServer.readvalues(["array a float64 $path 64 $(n - 8)"])["a"]
            @test array == 9:n
            array .= 0.0
            @test read!(path, Vector{Float64}(undef, n)) == 1:n
        end
    end

    @testset "arrays go into one file of the first folder that takes them" begin
        mktempdir() do folder
            arrays = Array[[1, 2, 3], Float32[0.5], Bool[]]
            path, offsets = SeisflowServer.writearrays(arrays, [joinpath(folder, "missing"), folder], "reply")
            @test path == joinpath(folder, "reply")
            @test offsets == [0, 64, 128]
            @test open(io -> read!(seek(io, 64), Float32[0]), path) == [0.5]
            @test_throws SystemError SeisflowServer.writearrays(arrays, [joinpath(folder, "missing")], "reply")
        end
    end

    @testset "a value that cannot be sent is an error with its name" begin
        for value in (nothing, 1im, ["text"])
            problem = try SeisflowServer.valuelines(Dict("odd" => value), ["/tmp"], "reply") catch err; err end
            @test occursin("odd", problem.msg)
        end
    end

    # what `serve` answers, line by line after its greeting
    function answers(modulename, requests...)
        output = IOBuffer()
        SeisflowServer.serve(modulename; input = IOBuffer(join(requests, '\n') * '\n'), output = output)
        lines = split(String(take!(output)), '\n', keepempty = false)
        @test startswith(lines[1], "ready $VERSION ")
        return lines[2:end]
    end

    @testset "requests in, replies out, until the input ends" begin
        lines = answers(:Base, "call server.echo 2 /tmp", "int n 3", "str s a%20b", "call server.fail 0 /tmp",
                        "call nowhere 0 /tmp")
        @test lines[1] == "result 2"
        @test Set(lines[2:3]) == Set(["int n 3", "str s a%20b"])
        @test startswith(lines[4], "error boom ")
        @test startswith(lines[5], "error ") && occursin("nowhere", SeisflowServer.decode(lines[5]))
        @test length(lines) == 5
    end

    @testset "members of an ensemble are told as they begin and finish" begin
        mktempdir() do folder
            array(name, shape...) = "array $name float64 $(joinpath(folder, name)) 0 $(join(shape, ' '))"
            inputs = ensemble_case(members = 3)
            for name in ("permeability", "saturation", "pressure")
                write(joinpath(folder, name), inputs[name])
            end
            write(joinpath(folder, "spacing"), inputs["spacing"])
            write(joinpath(folder, "shape"), inputs["shape"])
            values = [array("permeability", 3, 12, 10), array("saturation", 3, 12, 10), array("pressure", 3, 12, 10),
                      array("spacing", 3), replace(array("shape", 3), "float64" => "int64"), "float porosity 0.25",
                      "float top 1000.0", "float start 0.0", "float stop 86400.0"]
            lines = answers(:TwoPhaseFlow, "ensemble run_case $(length(values)) $folder", values...)
            heads = [line for line in lines if occursin(r"^(begun|member|result|error)", line)]
            @test sort(heads[startswith.(heads, "begun")]) == ["begun 0", "begun 1", "begun 2"]
            @test count(startswith("member"), heads) == 3 && heads[end] == "result 0"
            @test count(line -> startswith(line, "array saturation float64") && endswith(line, " 1 12 10"), lines) == 3
        end
    end
end
