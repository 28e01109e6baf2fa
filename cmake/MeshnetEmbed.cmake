# SPDX-License-Identifier: MIT
# cmake -DFOLDER=www -DNAMES=index.html,page.css -DOUTPUT=web.cpp -P MeshnetEmbed.cmake: the files as C++ (apps/page/web.hpp).
set(types ".html=text/html@ charset=utf-8" ".css=text/css@ charset=utf-8" ".js=text/javascript@ charset=utf-8" ".svg=image/svg+xml")
string(REPLACE "," ";" names "${NAMES}")
set(arrays "")
set(rows "")
set(number 0)
foreach(name IN LISTS names)
  file(READ ${FOLDER}/${name} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
  get_filename_component(ending ${name} LAST_EXT)
  foreach(type IN LISTS types)
    if(type MATCHES "^${ending}=(.*)$")
      string(REPLACE "@" ";" mime "${CMAKE_MATCH_1}")
    endif()
  endforeach()
  set(path "/${name}")
  if(name STREQUAL "index.html")
    set(path "/")
  endif()
  string(APPEND arrays "constexpr char kFile${number}[] = {${bytes}'\\0'};\n")
  string(APPEND rows "    WebFile{\"${path}\", \"${mime}\", {kFile${number}, sizeof kFile${number} - 1}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUTPUT} "// SPDX-License-Identifier: GPL-3.0-or-later
#include \"apps/page/web.hpp\"

namespace meshnet::page {

namespace {

${arrays}
constexpr WebFile kFiles[] = {
${rows}};

}  // namespace

std::span<const WebFile> web_files() noexcept {
    return kFiles;
}

}  // namespace meshnet::page
")
