# Writes a C++ source with a function that returns the text of a file, which has to be ASCII:
#   cmake -D INPUT=FILE -D OUTPUT=SOURCE -D HEADER=INCLUDE -D FUNCTION=NAME -P embed-text.cmake
# The bytes stand one by one: compilers may refuse string literals beyond 64 KiB.
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${OUTPUT} "#include \"${HEADER}\"

namespace coldstart {
namespace {

constexpr char text[] = {
${bytes}
};

} // namespace

std::string_view ${FUNCTION}() noexcept {
    return {text, sizeof text};
}

} // namespace coldstart
")
