# A room is a folder and a static library; see docs/architecture.md for who may enter which.
# scripts/check-includes holds the include rules, this file only the compiler's part.

add_library(coldstart_flags INTERFACE)
target_include_directories(coldstart_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(coldstart_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Werror)
# g++ 12 with optimisation reports these of inlined libstdc++ code in which nothing is wrong
# (GCC 105329, 105651 and kin); clang keeps looking.
target_compile_options(coldstart_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict
  -Wno-stringop-overflow -Wno-array-bounds>)
target_link_libraries(coldstart_flags INTERFACE Threads::Threads)

if(COLDSTART_SANITIZE STREQUAL "address")
  target_compile_options(coldstart_flags INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(coldstart_flags INTERFACE -fsanitize=address,undefined)
  # g++ 12 sees uninitialised reads in instrumented std::function that are not there (GCC 105562).
  target_compile_options(coldstart_flags INTERFACE
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
elseif(COLDSTART_SANITIZE STREQUAL "thread")
  target_compile_options(coldstart_flags INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
  target_link_options(coldstart_flags INTERFACE -fsanitize=thread)
elseif(NOT COLDSTART_SANITIZE STREQUAL "")
  message(FATAL_ERROR "COLDSTART_SANITIZE=${COLDSTART_SANITIZE}: want address or thread")
endif()

# coldstart_room(NAME [DEPS target...]): the .cpp files of the current folder as the library
# coldstart_NAME, usable by whoever names it in DEPS.
function(coldstart_room name)
  cmake_parse_arguments(ROOM "" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(sources)
    add_library(coldstart_${name} STATIC ${sources})
    target_link_libraries(coldstart_${name} PUBLIC coldstart_flags ${ROOM_DEPS})
  else()
    add_library(coldstart_${name} INTERFACE)
    target_link_libraries(coldstart_${name} INTERFACE coldstart_flags ${ROOM_DEPS})
  endif()
  set_property(GLOBAL APPEND PROPERTY COLDSTART_ROOMS coldstart_${name})
endfunction()

# coldstart_folders(VAR): every folder below the current one that is a room of its own.
function(coldstart_folders var)
  file(GLOB lists CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*/CMakeLists.txt)
  set(folders "")
  foreach(list ${lists})
    get_filename_component(folder ${list} DIRECTORY)
    list(APPEND folders ${folder})
  endforeach()
  set(${var} ${folders} PARENT_SCOPE)
endfunction()
