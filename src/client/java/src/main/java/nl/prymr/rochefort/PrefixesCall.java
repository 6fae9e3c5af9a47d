package nl.prymr.rochefort;

import java.util.ArrayList;
import java.util.List;

/** The names of all prefixes: as many exchanges as there are pages. */
final class PrefixesCall extends ExchangeSequence<PrefixPage, List<String>> {
    private final Endpoint endpoint;
    private final List<String> names = new ArrayList<>();
    private String after; // as it is written
    private boolean more = true;

    PrefixesCall(Endpoint endpoint) {
        this.endpoint = endpoint;
        next();
    }

    @Override
    Exchange<PrefixPage> create() {
        return more ? new SimpleExchange<>(endpoint.prefixes(after), Exchange.JSON, this::parse)
                : null;
    }

    private PrefixPage parse(byte[] reply) {
        PrefixPage page = Json.prefixes(reply);
        page.addTo(names, after);
        return page;
    }

    @Override
    void received(PrefixPage page) {
        after = page.last(after);
        more = page.more();
    }

    @Override
    List<String> result() {
        return names;
    }
}
