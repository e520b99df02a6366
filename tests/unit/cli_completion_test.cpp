#include "vmm/cli/completion.h"

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include <unistd.h>

using namespace coldstart;

namespace {

/// A folder that goes away with what is in it.
struct Folder {
    Folder() {
        char pattern[] = "/tmp/coldstart-completion-XXXXXX";
        path = ::mkdtemp(pattern);
    }
    ~Folder() { [[maybe_unused]] const int status = std::system(("rm -r " + path).c_str()); }
    std::string path;
};

int sh(const std::string& command) {
    // NOLINTNEXTLINE(bugprone-command-processor): the command is the test's own.
    return std::system(command.c_str());
}

std::string output_of(const std::string& command) {
    std::string text;
    // NOLINTNEXTLINE(bugprone-command-processor)
    FILE* pipe = ::popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe))
        text += static_cast<char>(c);
    ::pclose(pipe);
    return text;
}

bool have(const char* program) {
    return sh(std::string("command -v ") + program + " >/dev/null 2>&1") == 0;
}

/// What bash would offer for `words`, of which the last is being typed.
std::set<std::string> offered(const Folder& folder, const std::string& words) {
    const std::string script = "cd " + folder.path +
                               " && bash --norc -c '. ./completion; COMP_WORDS=(" + words +
                               "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _coldstart; "
                               "printf \"%s\\n\" \"${COMPREPLY[@]}\"'";
    std::set<std::string> replies;
    std::istringstream lines(output_of(script));
    for (std::string line; std::getline(lines, line);)
        replies.insert(line);
    return replies;
}

void write_script(const Folder& folder, Shell shell) {
    std::ofstream(folder.path + "/completion") << completion_script(shell);
}

} // namespace

TEST_CASE("bash completes commands, flags, values and files", "[cli]") {
    if (!have("bash")) {
        WARN("skipped: no bash here");
        return;
    }
    using Set = std::set<std::string>;
    const Folder folder;
    write_script(folder, Shell::bash);
    std::ofstream(folder.path + "/my kernel") << "k";
    REQUIRE(sh("bash -n " + folder.path + "/completion") == 0);

    CHECK(offered(folder, "coldstart in") == Set{"inspect"});
    CHECK(offered(folder, "coldstart run --mem") == Set{"--memory"});
    CHECK(offered(folder, "coldstart run --cpus 2 --no") == Set{"--no-rng"});
    CHECK(offered(folder, "coldstart run --boot \"\"") == Set{"auto", "firmware", "linux", "pvh"});
    CHECK(offered(folder, "coldstart run --boot = li") == Set{"linux"});
    CHECK(offered(folder, "coldstart run --boot =") == Set{"auto", "firmware", "linux", "pvh"});
    CHECK(offered(folder, "coldstart run --kernel my") == Set{"my kernel"});
    CHECK(offered(folder, "coldstart run --serial f") == Set{"file="});
    CHECK(offered(folder, "coldstart run --serial file = my") == Set{"my kernel"});
    CHECK(offered(folder, "coldstart run --disk path = my") == Set{"my kernel"});
    CHECK(offered(folder, "coldstart run --disk path = a,readonly = o") == Set{"on", "off"});
    CHECK(offered(folder, "coldstart run --firm") == Set{"--firmware"});
    CHECK(offered(folder, "coldstart inspect my") == Set{"my kernel"});
    CHECK(offered(folder, "coldstart inspect --j") == Set{"--json"});
    CHECK(offered(folder, "coldstart completion f") == Set{"fish"});
}

TEST_CASE("zsh and fish accept their completion scripts", "[cli]") {
    const Folder folder;
    write_script(folder, Shell::zsh);
    if (have("zsh"))
        CHECK(sh("zsh -n " + folder.path + "/completion") == 0);
    else
        WARN("skipped: no zsh here");
    write_script(folder, Shell::fish);
    if (have("fish"))
        CHECK(output_of("cd " + folder.path +
                        " && HOME=$PWD fish -c 'source completion; "
                        "complete -C \"coldstart run --boot \"' 2>&1 | cut -f1") ==
              "auto\nfirmware\nlinux\npvh\n");
    else
        WARN("skipped: no fish here");
}
