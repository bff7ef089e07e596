# Compiler flags shared by every target. Release is hardened as the OpenSSF guide for C and C++ advises.
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual
                    -Wconversion -Wno-sign-conversion -Wno-missing-field-initializers -Werror=return-type)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports false positives through std::variant and std::string at -O2.
  add_compile_options(-Wno-maybe-uninitialized -Wno-restrict)
endif()
add_compile_definitions(BOOST_ALLOW_DEPRECATED_HEADERS)

if(MILLSTREAM_SANITIZE)
  add_compile_options(-fsanitize=${MILLSTREAM_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MILLSTREAM_SANITIZE})
  add_compile_definitions(MILLSTREAM_SANITIZED=1)
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-fstack-protector-strong -fstack-clash-protection -fcf-protection=full
                      -ftrivial-auto-var-init=zero -D_FORTIFY_SOURCE=2 -D_GLIBCXX_ASSERTIONS -g1)
  add_link_options(-pie -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
