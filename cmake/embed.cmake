# Writes the bytes of the file IN as a C array, NAME, to OUT: cmake -D IN= -D NAME= -D OUT= -P
file(READ "${IN}" hex HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "((0x..,){16})" "\\1\n" bytes "${bytes}")
file(WRITE "${OUT}" "static const unsigned char ${NAME}[] = {\n${bytes}};\n")
