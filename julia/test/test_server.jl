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

    @testset "writing into a mapped input leaves the file as it was" begin
        mktempdir() do folder
            path = joinpath(folder, "input-0")
            write(path, collect(1.0:6.0))
            key, array = SeisflowServer.readvalue("array a float64 $path 2 3")
            @test key == "a"
            @test array == reshape(1.0:6.0, 3, 2)  # (2, 3) of NumPy
            array .= 0.0
            @test read!(path, Vector{Float64}(undef, 6)) == 1:6
        end
    end

    @testset "an array goes to the next folder where the first does not take it" begin
        mktempdir() do folder
            path = SeisflowServer.writearray([1, 2, 3], [joinpath(folder, "missing"), folder], 7)
            @test path == joinpath(folder, "reply-7")
            @test filesize(path) == 24
            @test_throws SystemError SeisflowServer.writearray([1], [joinpath(folder, "missing")], 8)
        end
    end

    @testset "requests in, replies out, until the input ends" begin
        input = IOBuffer("call server.echo 2 /tmp\nint n 3\nstr s a%20b\ncall server.fail 0 /tmp\ncall nowhere 0 /tmp\n")
        output = IOBuffer()
        SeisflowServer.serve(:Base; input = input, output = output)
        lines = split(String(take!(output)), '\n', keepempty = false)
        @test startswith(lines[1], "ready $VERSION ")
        @test lines[2] == "result 2"
        @test Set(lines[3:4]) == Set(["int n 3", "str s a%20b"])
        @test startswith(lines[5], "error boom ")
        @test startswith(lines[6], "error ") && occursin("nowhere", SeisflowServer.decode(lines[6]))
        @test length(lines) == 6
    end
end
