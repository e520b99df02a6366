#include "vmm/base/error.h"
#include "vmm/cli/front.h"

#include <vector>

int main(int argc, char** argv) {
    using namespace coldstart;
    const std::vector<std::string_view> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    const CommandHandlers handlers{
        .run = [](const RunCommand&) -> int { throw Error("run: not in this build"); },
        .doctor = [](const DoctorCommand&) -> int { throw Error("doctor: not in this build"); },
    };
    return front_main(arguments, handlers);
}
