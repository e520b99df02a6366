# Writes the bytes of INPUT as `coldstart::NAME`, a span, to the C++ file OUTPUT.
# Use: cmake -DINPUT=.. -DOUTPUT=.. -DNAME=.. -P embed.cmake
file(READ ${INPUT} digits HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${digits}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "#include \"vmm/base/bytes.h\"
namespace coldstart {
extern const ByteView ${NAME};
static constexpr unsigned char bytes[] = {
${bytes}};
const ByteView ${NAME} = std::as_bytes(std::span(bytes));
} // namespace coldstart
")
