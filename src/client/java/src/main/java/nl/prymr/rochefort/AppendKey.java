package nl.prymr.rochefort;

/** An id and its prefix. */
final class AppendKey {
    private final String storagePrefix;
    private final String id;

    AppendKey(String storagePrefix, String id) {
        this.storagePrefix = storagePrefix;
        this.id = id;
    }

    String storagePrefix() {
        return storagePrefix;
    }

    String id() {
        return id;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof AppendKey && id.equals(((AppendKey) other).id)
                && storagePrefix.equals(((AppendKey) other).storagePrefix);
    }

    @Override
    public int hashCode() {
        return 31 * storagePrefix.hashCode() + id.hashCode();
    }
}
