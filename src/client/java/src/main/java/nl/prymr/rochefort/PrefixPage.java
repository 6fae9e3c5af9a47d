package nl.prymr.rochefort;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;

/** A page of the list of prefixes. */
final class PrefixPage {
    private static final Pattern WRITTEN = Pattern.compile("([A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+");

    private final List<String> names;
    private final boolean more;

    /** {@code names}: all bytes but letters, digits and {@code -._~} are written as %XX. */
    PrefixPage(List<String> names, boolean more) {
        this.names = names;
        this.more = more;
    }

    /** Whether another page follows. */
    boolean more() {
        return more;
    }

    /** The last name, as it is written; {@code before} if there is none. */
    String last(String before) {
        return names.isEmpty() ? before : names.get(names.size() - 1);
    }

    /**
     * Adds the names to {@code list}.
     *
     * @param after the last name of the page before, as it is written; null for none
     * @throws IllegalArgumentException if they are not in the order of their bytes, or if the next
     *     page would be this one again
     */
    void addTo(List<String> list, String after) {
        if (more && names.isEmpty()) {
            throw new IllegalArgumentException("an empty page that is not the last");
        }
        byte[] before = after == null ? new byte[0] : decode(after);
        for (String name : names) {
            byte[] bytes = decode(name);
            if (Arrays.compareUnsigned(before, bytes) >= 0) {
                throw new IllegalArgumentException("names of prefixes that are not in order: "
                        + name);
            }
            list.add(new String(bytes, StandardCharsets.UTF_8));
            before = bytes;
        }
    }

    private static byte[] decode(String name) {
        if (!WRITTEN.matcher(name).matches()) {
            throw new IllegalArgumentException("not the name of a prefix: " + name);
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(name.length());
        for (int i = 0; i < name.length(); i++) {
            if (name.charAt(i) == '%') {
                bytes.write(Integer.parseInt(name.substring(i + 1, i + 3), 16));
                i += 2;
            } else {
                bytes.write(name.charAt(i));
            }
        }
        return bytes.toByteArray();
    }
}
