# The worker's side of the wire: decode named values, call one function, encode what it returns.
#
# Started as its own process by whoever wants Julia, by the program `julia` or by a Python that holds juliacall; the other
# side is seisflow/dynamics/julia/session.py. Standard library only. A request is one line and COUNT lines of values,
#     call FUNCTION COUNT FOLDER...
#     ensemble FUNCTION COUNT FOLDER...
# A call is answered by `result COUNT` and COUNT lines of values, an ensemble member by member as they come,
#     begun MEMBER
#     member MEMBER COUNT             and COUNT lines of values
#     result 0
# with members counted from 0; what is thrown outside a member, by `error MESSAGE STACK`. A value is
#     array KEY DTYPE PATH OFFSET DIM...   raw bytes in a file; DIM in the order of NumPy, so the last one is contiguous
#     float|int|bool|str KEY TEXT
# Tokens are percent-encoded and separated by one blank. A C-ordered NumPy array (m, x, z) is the Julia array (z, x, m):
# the same bytes, no copy. A function for ensembles is called as `f(inputs; begun = m -> ..., finished = (m, outputs) ->
# ...)`, with members counted from 1, and may call these from any thread.

module SeisflowServer

using Mmap

Base.Experimental.@optlevel 0    # its own code should start fast, and waits most of the time

const DTYPES = Dict{String,DataType}(
    "float64" => Float64, "float32" => Float32, "int64" => Int64, "int32" => Int32, "uint8" => UInt8, "bool" => Bool)
const NAMES = Dict{DataType,String}(type => name for (name, type) in DTYPES)
const SCALARS = Dict{String,DataType}("float" => Float64, "int" => Int64, "bool" => Bool)

isplain(byte::UInt8) = UInt8('a') <= byte <= UInt8('z') || UInt8('A') <= byte <= UInt8('Z') ||
                       UInt8('0') <= byte <= UInt8('9') || byte in (UInt8('-'), UInt8('_'), UInt8('.'), UInt8('/'))

"Percent-encode `text`, so that it holds neither blanks nor line ends."
function encode(text::AbstractString)
    buffer = IOBuffer()
    for byte in codeunits(String(text))
        isplain(byte) ? write(buffer, byte) : print(buffer, '%', uppercase(string(byte, base = 16, pad = 2)))
    end
    return String(take!(buffer))
end

"Undo `encode`."
function decode(token::AbstractString)
    bytes = codeunits(String(token))
    buffer = IOBuffer()
    i = 1
    while i <= length(bytes)
        if bytes[i] == UInt8('%')
            write(buffer, parse(UInt8, String(bytes[i+1:i+2]), base = 16))
            i += 3
        else
            write(buffer, bytes[i])
            i += 1
        end
    end
    return String(take!(buffer))
end

const MAPPED = 1 << 20        # larger arrays [bytes] are mapped, smaller ones read

# A private mapping: a function that writes into its input disturbs nobody, so a call can be repeated. What is mapped is
# good for one call: the next one may overwrite the file.
function readarray(io::IO, offset::Int, ::Type{T}, dims::NTuple{N,Int}) where {T,N}
    any(iszero, dims) && return Array{T,N}(undef, dims)
    prod(dims) * sizeof(T) < MAPPED && return read!(seek(io, offset), Array{T,N}(undef, dims))
    return Mmap.mmap(io, Array{T,N}, dims, offset; grow = false, shared = false)
end

"Value lines as a dictionary."
function readvalues(lines::Vector{String})
    values, files = Dict{String,Any}(), Dict{String,IOStream}()
    for line in lines
        kind, name, tokens = split(line, ' ', limit = 3)
        key = decode(name)
        if kind == "array"
            type, path, offset, dims = split(tokens, ' ', limit = 4, keepempty = true)..., ""
            io = get!(() -> open(decode(path), "r+"), files, path)
            values[key] = readarray(io, parse(Int, offset), DTYPES[type], dimensions(dims))
        else
            values[key] = kind == "str" ? decode(tokens) : parse(SCALARS[kind], tokens)
        end
    end
    foreach(close, Base.values(files))
    return values
end

"Sizes in the order of NumPy, as Julia has them."
dimensions(text::AbstractString) = Tuple(parse(Int, token) for token in reverse(split(text, ' ', keepempty = false)))

const ALIGNMENT = 64

"Write arrays one after the other into the first folder with room for all; the path, and where each begins."
function writearrays(arrays::Vector{Array}, folders::Vector{String}, name::String)
    offsets, wanted, total = Int[], 0, 0
    for array in arrays
        push!(offsets, total)
        isempty(array) || (wanted = total + sizeof(array))
        total += cld(sizeof(array), ALIGNMENT) * ALIGNMENT
    end
    for (i, folder) in enumerate(folders)
        path = joinpath(folder, name)
        try
            open(path, "w") do io
                for (array, offset) in zip(arrays, offsets)
                    seek(io, offset)
                    write(io, array)
                end
            end
            filesize(path) >= wanted && return path, offsets  # a full disk may go unnoticed by `write`
            error("no room left for arrays of $total bytes in $folder")
        catch
            rm(path, force = true)
            i == length(folders) && rethrow()
        end
    end
end

"The lines of a reply; its arrays go into one file called `name`."
function valuelines(outputs, folders::Vector{String}, name::String)
    lines, arrays, places = String[], Array[], Int[]
    for (key, value) in pairs(outputs)
        if value isa AbstractArray
            haskey(NAMES, eltype(value)) || error("result \"$key\": arrays of $(eltype(value)) cannot be sent")
            push!(arrays, convert(Array, value))
            push!(places, length(lines) + 1)
        end
        push!(lines, valueline(encode(String(key)), value))
    end
    isempty(arrays) && return lines
    path, offsets = writearrays(arrays, folders, name)
    for (array, line, offset) in zip(arrays, places, offsets)
        lines[line] = join([lines[line], encode(path), offset, reverse(size(array))...], ' ')
    end
    return lines
end

valueline(key, value::AbstractArray) = "array $key $(NAMES[eltype(value)])"
valueline(key, value::AbstractString) = "str $key $(encode(value))"
valueline(key, value::Bool) = "bool $key $value"
valueline(key, value::Integer) = "int $key $(Int64(value))"
valueline(key, value::AbstractFloat) = "float $key $(Float64(value))"
valueline(key, value) = error("result \"$key\": a $(typeof(value)) cannot be sent")

# --- functions of the server itself, called as `server.NAME` -------------------------------------------------------

"Everything that came in goes out again."
echo(inputs::Dict{String,Any}) = inputs

"The sizes of the arrays, as Julia sees them."
sizes(inputs::Dict{String,Any}) =
    Dict{String,Any}(key => collect(Int64, size(value)) for (key, value) in inputs if value isa AbstractArray)

"Throw what `message` says, from compiled code, a few frames deep."
fail(inputs::Dict{String,Any}) = thrower(get(inputs, "message", "boom"))
@noinline thrower(message) = error(message)

"Sleep `seconds`; print on the way, which must not reach the frames."
function rest(inputs::Dict{String,Any})
    println("resting")
    sleep(inputs["seconds"])
    return Dict{String,Any}("threads" => Threads.nthreads(), "pid" => getpid())
end

const OWN = Dict{String,Function}(
    "server.echo" => echo, "server.sizes" => sizes, "server.fail" => fail, "server.rest" => rest)

"The function called `name`: one of the server's own, or one of the module, which is loaded when first asked for."
function resolve(name::String, modulename::Symbol)
    haskey(OWN, name) && return OWN[name]
    isdefined(Main, modulename) || Base.eval(Main, :(import $modulename))
    name == "server.load" && return inputs -> Dict{String,Any}("loaded" => String(modulename))
    return Base.invokelatest(getproperty, Base.invokelatest(getproperty, Main, modulename), Symbol(name))
end

function thrown(problem, trace)
    stack = sprint(Base.show_backtrace, trace)
    return "error $(encode(sprint(showerror, problem))) $(encode(stack))"
end

frame(head::String, lines::Vector{String}) = join([string(head, ' ', length(lines)); lines], '\n')

"Answer one request by calling `say` with what goes back, once or, for an ensemble, as things happen."
function answer(say, modulename::Symbol, kind::AbstractString, name::String, lines, folders::Vector{String})
    try
        inputs = readvalues(lines)
        called = resolve(name, modulename)
        if kind == "call"
            outputs = Base.invokelatest(called, inputs)
            say(frame("result", valuelines(outputs, folders, "reply")))
        else
            begun(m) = say("begun $(m - 1)")
            finished(m, outputs) = say(frame("member $(m - 1)", valuelines(outputs, folders, "reply-$m")))
            Base.invokelatest(called, inputs; begun = begun, finished = finished)
            say("result 0")
        end
    catch problem
        say(thrown(problem, catch_backtrace()))
    end
end

"Answer requests about the module called `modulename` from `input` on `output`, until the input ends."
function serve(modulename::Symbol; input::IO, output::IO)
    guard = ReentrantLock()                                       # members are finished by several threads
    say(text) = lock(() -> (write(output, text, '\n'); flush(output)), guard)
    say("ready $(VERSION) $(Threads.nthreads()) $(getpid())")
    while !eof(input)
        tokens = split(readline(input), ' ')
        lines = [readline(input) for _ in 1:parse(Int, tokens[3])]
        answer(say, modulename, tokens[1], decode(tokens[2]), lines, decode.(tokens[4:end]))
    end
end

# The kernel ends this process with its parent (a busy worker would not read the end of its input).
function followparent(parent::Int)
    Sys.islinux() || return
    ccall(:prctl, Cint, (Cint, Culong, Culong, Culong, Culong), 1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL
    ccall(:getppid, Cint, ()) == parent || exit(1)  # it died before we asked
end

"Serve a module of the package around this file to the process that started this one, on standard input and output."
function main(modulename::AbstractString, parent::AbstractString)
    followparent(parse(Int, parent))
    project = dirname(@__DIR__)
    project in LOAD_PATH || push!(LOAD_PATH, project)             # juliacall has a project of its own
    output = fdio(ccall(:dup, Cint, (Cint,), 1), true)
    redirect_stdout(stderr)  # a println in a simulation goes to the log and cannot disturb the frames
    serve(Symbol(modulename); input = stdin, output = output)
end

end

abspath(PROGRAM_FILE) == @__FILE__() && SeisflowServer.main(ARGS...)
