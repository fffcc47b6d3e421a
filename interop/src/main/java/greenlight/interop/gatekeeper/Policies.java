package greenlight.interop.gatekeeper;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What all countries ask, turned around: each distinct demand once, with the countries that make it. */
final class Policies {
    /** What one country asks. */
    record Policy(
            int country,
            int[] systems,
            boolean ratingRequired,
            int maximumAge,
            Need title,
            Need synopsis,
            Need subtitles,
            Need kidsDub,
            int[] artwork,
            int[] tracks) {}

    /** One of some languages, or all of them; equal ones are asked about once. */
    record Need(boolean all, List<Integer> languages) {}

    /** A need and who has it, as arrays. */
    record Demand(boolean all, int[] languages, Mask countries) {}

    /** An age limit and who sets it. */
    record Limit(int age, Mask countries) {}

    final Mask markets;
    final Mask ratingRequired;
    final Demand[] title;
    final Demand[] synopsis;
    final Demand[] subtitles;
    final Demand[] kidsDub;
    final Demand[] artwork;
    /** Languages of the tracks that are offered, sorted; null: all. */
    final Demand[] offered;
    final Limit[] limits;
    private final Mask[] bySystem;

    Policies(Iterable<Policy> policies) {
        Mask all = Mask.EMPTY;
        Mask required = Mask.EMPTY;
        Map<Need, Mask> titles = new HashMap<>();
        Map<Need, Mask> synopses = new HashMap<>();
        Map<Need, Mask> followed = new HashMap<>();
        Map<Need, Mask> dubs = new HashMap<>();
        Map<Need, Mask> pictures = new HashMap<>();
        Map<List<Integer>, Mask> offers = new HashMap<>();
        Map<Integer, Mask> ages = new HashMap<>();
        Map<Integer, Mask> systems = new HashMap<>();
        int most = 0;
        for (Policy policy : policies) {
            Mask country = Mask.of(policy.country);
            all = all.or(country);
            required = policy.ratingRequired ? required.or(country) : required;
            titles.merge(policy.title, country, Mask::or);
            synopses.merge(policy.synopsis, country, Mask::or);
            followed.merge(policy.subtitles, country, Mask::or);
            dubs.merge(policy.kidsDub, country, Mask::or);
            pictures.merge(new Need(false, Arrays.stream(policy.artwork).boxed().toList()), country, Mask::or);
            offers.merge(
                    policy.tracks == null ? List.of(-1) : Arrays.stream(policy.tracks).boxed().toList(), country, Mask::or);
            if (policy.maximumAge >= 0) {
                ages.merge(policy.maximumAge, country, Mask::or);
            }
            for (int system : policy.systems) {
                systems.merge(system, country, Mask::or);
                most = Math.max(most, system + 1);
            }
        }
        markets = all;
        ratingRequired = required;
        title = demands(titles);
        synopsis = demands(synopses);
        subtitles = demands(followed);
        kidsDub = demands(dubs);
        artwork = demands(pictures);
        offered = offers.entrySet().stream()
                .map(offer -> new Demand(
                        false,
                        offer.getKey().equals(List.of(-1))
                                ? null
                                : offer.getKey().stream().mapToInt(Integer::intValue).toArray(),
                        offer.getValue()))
                .toArray(Demand[]::new);
        limits = ages.entrySet().stream().map(limit -> new Limit(limit.getKey(), limit.getValue())).toArray(Limit[]::new);
        bySystem = new Mask[most];
        Arrays.fill(bySystem, Mask.EMPTY);
        systems.forEach((system, countries) -> bySystem[system] = countries);
    }

    /** The countries where a rating system counts. */
    Mask accepting(int system) {
        return system < bySystem.length ? bySystem[system] : Mask.EMPTY;
    }

    private static Demand[] demands(Map<Need, Mask> needs) {
        List<Demand> demands = new ArrayList<>();
        needs.forEach((need, countries) -> {
            if (!need.languages.isEmpty()) {
                int[] languages = need.languages.stream().mapToInt(Integer::intValue).toArray();
                demands.add(new Demand(need.all, languages, countries));
            }
        });
        return demands.toArray(Demand[]::new);
    }
}
