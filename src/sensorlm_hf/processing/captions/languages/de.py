"""German captions.

Nouns carry gender and case. A channel's label therefore comes with its article in the nominative (`{label}`) and in the
dative with "bei" (`{at_label}`), always in the singular, and what was found in a channel comes in a form that is the
same in the nominative and the accusative, or is given twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..templates import Wording

_DATIVE = {"die": "der", "der": "dem", "das": "dem"}

_LABELS = {
    "heart rate": "die Herzfrequenz",
    "heart rate at rest": "die Ruheherzfrequenz",
    "RR percent valid": "der Anteil gültiger RR-Intervalle",
    "RR 80th percentile": "das obere RR-Perzentil",
    "RR 20th percentile": "das untere RR-Perzentil",
    "RR median": "der RR-Median",
    "RMSSD": "die RMSSD",
    "SDNN": "die SDNN",
    "Shannon entropy of RR": "die Shannon-Entropie der RR-Intervalle",
    "Shannon entropy of RR differences": "die Shannon-Entropie der RR-Differenzen",
    "steps": "die Schrittzahl",
    "jerk autocorrelation ratio": "das Autokorrelationsverhältnis des Rucks",
    "log energy": "das Logarithmusmaß der Energie",
    "covariance condition": "die Konditionszahl der Kovarianz",
    "log energy ratio": "das Energieverhältnis",
    "zero crossing standard deviation": "die Streuung der Nulldurchgänge",
    "zero crossing mean": "die mittlere Zahl der Nulldurchgänge",
    "axis mean": "der Achsenmittelwert",
    "kurtosis": "die Kurtosis",
    "sleep coefficient": "der Schlafkoeffizient",
    "skin conductance level": "der Hautleitwert",
    "skin conductance slope": "die Steigung des Hautleitwerts",
    "lead contact count": "die Zahl der Elektrodenkontakte",
    "skin temperature": "die Hauttemperatur",
    "skin temperature slope": "die Steigung der Hauttemperatur",
    "altitude variation": "die Höhenschwankung",
    "pNN20": "der pNN20-Wert",
    "cardiac coherence": "die Herzkohärenz",
    "low-frequency HRV power": "die Niederfrequenzleistung der HRV",
    "high-frequency HRV power": "die Hochfrequenzleistung der HRV",
    "very-low-frequency HRV power": "die Leistung der HRV bei sehr niedrigen Frequenzen",
    "LF/HF ratio": "das LF/HF-Verhältnis",
    "spectral entropy": "die Spektralentropie",
    "awake stage": "der Wachanteil",
    "light sleep stage": "der Leichtschlafanteil",
    "deep sleep stage": "der Tiefschlafanteil",
    "REM sleep stage": "der REM-Schlafanteil",
    "blood oxygen saturation": "die Sauerstoffsättigung",
    "blood oxygen confidence": "die Verlässlichkeit der Sauerstoffsättigung",
    "blood oxygen coverage": "die Abdeckung der Sauerstoffsättigung",
}

_DATIVES = {
    "die mittlere Zahl der Nulldurchgänge": "der mittleren Zahl der Nulldurchgänge",
    "das obere RR-Perzentil": "dem oberen RR-Perzentil",
    "das untere RR-Perzentil": "dem unteren RR-Perzentil",
    "der Schlafkoeffizient": "dem Schlafkoeffizienten",
}
"""Datives in which more than the article changes."""

_NOUNS = {
    "sleep": "Schlaf",
    "main sleep": "Hauptschlaf",
    "night": "Nachtschlaf",
    "nap": "ein Nickerchen",
    "walking": "Gehen",
    "walk": "ein Spaziergang",
    "running": "Laufen",
    "run": "Laufen",
    "treadmill running": "Laufen auf dem Laufband",
    "hiking": "Wandern",
    "outdoor cycling": "Radfahren im Freien",
    "indoor cycling": "Radfahren auf dem Heimtrainer",
    "cycling": "Radfahren",
    "elliptical": "Training auf dem Crosstrainer",
    "rowing machine": "Training auf dem Rudergerät",
    "stair climbing": "Treppensteigen",
    "swimming": "Schwimmen",
    "weight lifting": "Gewichtheben",
    "HIIT": "HIIT",
    "yoga": "Yoga",
    "pilates": "Pilates",
    "tennis": "Tennis",
    "football": "Fußball",
    "basketball": "Basketball",
    "golf": "Golf",
    "dancing": "Tanzen",
    "skiing": "Skifahren",
    "sleeping": "Schlafen",
    "resting": "Ausruhen",
    "lying down": "Liegen",
    "sitting": "Sitzen",
    "light movement": "leichte Bewegung",
    "medium activity": "mäßige Bewegung",
    "heavy activity": "anstrengende Bewegung",
    "eating": "Essen",
    "small screen use": "Zeit an einem kleinen Bildschirm",
    "large screen use": "Zeit an einem großen Bildschirm",
    "caffeine": "Koffein",
    "smoking": "Rauchen",
    "alcohol": "Alkohol",
    "watching television": "Fernsehen",
    "reading": "Lesen",
    "using a phone or computer": "Zeit am Telefon oder Computer",
    "office work": "Büroarbeit",
    "manual work": "körperliche Arbeit",
    "meal": "eine Mahlzeit",
    "cooking": "Kochen",
    "housework": "Hausarbeit",
    "gardening": "Gartenarbeit",
    "shopping": "Einkaufen",
    "childcare": "Kinderbetreuung",
    "socialising": "Geselligkeit",
    "self-care": "Körperpflege",
    "commuting by car": "Pendeln mit dem Auto",
    "commuting by public transport": "Pendeln mit Bus und Bahn",
    "walking to work": "der Weg zur Arbeit zu Fuß",
    "cycling to work": "der Weg zur Arbeit mit dem Rad",
}

_MOODS = {
    "calm": "ruhig",
    "happy": "glücklich",
    "content": "zufrieden",
    "energetic": "energiegeladen",
    "tired": "müde",
    "stressed": "gestresst",
    "anxious": "ängstlich",
    "sad": "traurig",
    "irritable": "gereizt",
    "excited": "aufgeregt",
    "frustrated": "frustriert",
    "worried": "besorgt",
    "neutral": "neutral",
    "positive": "positiv",
    "negative": "negativ",
    "relaxed": "entspannt",
}


def _label(label: str) -> dict[str, str]:
    nominative = _LABELS.get(label, f"der Messwert „{label}“")
    article, rest = nominative.split(" ", 1)
    dative = _DATIVES.get(nominative, f"{_DATIVE[article]} {rest}")
    return {"label": nominative, "at_label": f"bei {dative}".replace("bei dem ", "beim ")}


def _noun(label: str) -> str:
    label = label.strip()
    return _NOUNS.get(label, _NOUNS.get(label.lower(), f"„{label}“"))


def _mood(label: str) -> str:
    return _MOODS.get(label.strip().lower(), f"„{label.strip()}“")


def _join(items: Sequence[str]) -> str:
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} und {items[-1]}"


WORDING = Wording(
    name="German",
    statistics=(
        "{Label} lag im Mittel bei {mean}, höchstens bei {max} und mindestens bei {min}, mit einer Standardabweichung"
        " von {std}.",
        "{Label} hatte einen Mittelwert von {mean}, ein Maximum von {max}, ein Minimum von {min} und eine"
        " Standardabweichung von {std}.",
        "{Label} reichte von {min} bis {max}, mit einem Mittelwert von {mean} und einer Standardabweichung von {std}.",
        "{Label} ergab einen Mittelwert von {mean}, ein Maximum von {max}, ein Minimum von {min} und eine"
        " Standardabweichung von {std}.",
        "{At_label} betrug der Mittelwert {mean}, das Maximum {max}, das Minimum {min} und die Standardabweichung"
        " {std}.",
        "Insgesamt lag {label} im Mittel bei {mean} (Minimum {min}, Maximum {max}, Standardabweichung {std}).",
        "Mit einer Standardabweichung von {std} lag {label} im Mittel bei {mean} und reichte von {min} bis {max}.",
        "Durchweg blieb {label} zwischen {min} und {max}, im Mittel bei {mean} mit einer Standardabweichung von {std}.",
        "{Label} stieg bis auf {max} und fiel bis auf {min}; der Mittelwert war {mean}, die Standardabweichung {std}.",
        "{Label} erreichte höchstens {max}, mindestens {min} und im Schnitt {mean}, mit einer Standardabweichung von"
        " {std}.",
        "{At_label} ergaben sich {mean} im Mittel, {max} höchstens, {min} mindestens und eine Standardabweichung von"
        " {std}.",
        "Die Messwerte {at_label} lagen im Mittel bei {mean} mit einer Standardabweichung von {std}, von {min} bis"
        " {max}.",
        "Der niedrigste Wert {at_label} war {min}, der höchste {max}, der Mittelwert {mean} und die"
        " Standardabweichung {std}.",
        "Von {min} im Tiefsten bis {max} im Höchsten lag {label} im Mittel bei {mean}, mit einer Standardabweichung von"
        " {std}.",
        "In Zahlen lag {label} im Schnitt bei {mean}, höchstens bei {max}, mindestens bei {min}, mit einer"
        " Standardabweichung von {std}.",
        "{Label} bewegte sich um {mean}, mit Werten von {min} bis {max} und einer Standardabweichung von {std}.",
        "Die Werte {at_label} umfassten {min} bis {max}; ihr Mittelwert war {mean}, ihre Standardabweichung {std}.",
        "Der höchste Wert {at_label} war {max}, der niedrigste {min}; der Mittelwert betrug {mean}, die"
        " Standardabweichung {std}.",
        "Die Aufzeichnung zeigt {at_label} einen Mittelwert von {mean}, eine Spanne von {min} bis {max} und eine"
        " Standardabweichung von {std}.",
        "Im Mittel erreichte {label} {mean}; die Extreme waren {min} und {max}, die Standardabweichung {std}.",
    ),
    trends=(
        "{Label} zeigte zwischen {span} {a_trend}.",
        "Zwischen {span} {moved} {label}{particle}.",
        "Von {start} bis {end} zeigte {label} {a_trend}.",
        "{Label} {moved} von {start} bis {end}{particle}.",
        "{A_trend} {at_label} reichte von {start} bis {end}.",
        "Der Abschnitt zwischen {span} brachte {a_trend} {at_label}.",
        "{At_label} gab es zwischen {span} {a_trend}.",
        "Im Zeitraum von {start} bis {end} {moved} {label}{particle}.",
        "Ab {start} {moved} {label} bis {end}{particle}.",
        "{A_trend} bestimmte zwischen {span} den Verlauf {at_label}.",
        "Zwischen {span} war der Verlauf {at_label} {direction}.",
        "Von {start} bis {end} war die Tendenz {at_label} {direction}.",
        "Die Werte {at_label} waren von {start} bis {end} {direction}.",
        "Die Daten zeigen zwischen {span} {a_trend} {at_label}.",
        "{A_trend} war {at_label} von {start} bis {end} zu sehen.",
        "{At_label} herrschte zwischen {span} {a_trend}.",
    ),
    anomalies=(
        "{Label} zeigte {moment} {an_anomaly_acc}.",
        "{Moment} gab es {an_anomaly_acc} {at_label}.",
        "{An_anomaly} {at_label} trat {moment} auf.",
        "{An_anomaly} {at_label} fiel {moment} auf.",
        "Gegen {time} hatte {label} {an_anomaly_acc}.",
        "{Label} hatte {moment} {an_anomaly_acc}.",
        "{Moment} erschien {an_anomaly} {at_label}.",
        "Die Aufzeichnung zeigt {at_label} {an_anomaly_acc} {moment}.",
        "{An_anomaly} {moment} unterbrach den Verlauf {at_label}.",
        "{An_anomaly} {moment} sticht {at_label} heraus.",
        "Gegen {time} zeigte {label} {an_anomaly_acc}.",
        "Auffällig war {at_label} {an_anomaly} {moment}.",
        "Die Werte {at_label} bildeten {moment} {an_anomaly_acc}.",
        "{An_anomaly} {moment} war {at_label} ungewöhnlich.",
        "{An_anomaly} war {at_label} gegen {time} zu sehen.",
        "{At_label} sprang {moment} {an_anomaly} ins Auge.",
    ),
    activities=(
        "Zwischen {span} verzeichnet das Protokoll: {label}.",
        "Von {start} bis {end} steht im Protokoll: {label}.",
        "{Label} füllte die Zeit zwischen {span}.",
        "Zwischen {span} wurde Folgendes eingetragen: {label}.",
        "{Label} lief von {start} bis {end}.",
        "Eine Aktivität von {start} bis {end}: {label}.",
        "{Label} dauerte von {start} bis {end}.",
        "Im Zeitraum von {start} bis {end}: {label}.",
        "{Label} nahm die Zeit von {start} bis {end} ein.",
        "{Label} fand zwischen {span} statt.",
    ),
    sleeps=(
        "{Label} dauerte von {start} bis {end}.",
        "Zwischen {span} zeigt das Protokoll: {label}.",
        "{Label} wurde zwischen {span} eingetragen.",
        "{Label} reichte von {start} bis {end}.",
        "Das Schlafprotokoll nennt von {start} bis {end}: {label}.",
        "Das Gerät erfasste zwischen {span}: {label}.",
        "Von {start} bis {end} wurde Folgendes erfasst: {label}.",
        "Ruhe kam zwischen {span}, eingetragen als: {label}.",
        "{Label} nahm die Zeit von {start} bis {end} ein.",
        "Im Schlafprotokoll zwischen {span}: {label}.",
    ),
    moods=(
        "{Moment} wurde die Stimmung als {label} eingetragen.",
        "Die Stimmung {moment} war {label}.",
        "Ein Stimmungseintrag {moment} lautet {label}.",
        "{Moment} fühlte sich die Person {label}.",
        "Die Person fühlte sich {moment} {label}.",
        "Das Stimmungsprotokoll sagt {moment}: {label}.",
        "Gegen {time} war die Stimmung {label}.",
        "Die Stimmung der Person wurde {moment} als {label} vermerkt.",
        "Stimmung {moment}: {label}.",
        "{Moment} beschrieb die Person ihre Stimmung als {label}.",
    ),
    summaries=(
        "Der Tag umfasste: {items}.",
        "Über den Tag eingetragen: {items}.",
        "Das Protokoll nennt: {items}.",
        "Von der Person eingetragen: {items}.",
        "Unter den Einträgen des Tages: {items}.",
        "An diesem Tag zeigt das Protokoll: {items}.",
        "Für den Tag ist eingetragen: {items}.",
        "Im Protokoll des Tages steht: {items}.",
    ),
    summaries_with_moods=(
        "Der Tag umfasste: {items}; die Stimmung war {moods}.",
        "Das Protokoll nennt: {items}; die Person fühlte sich {moods}.",
        "Über den Tag eingetragen: {items}; als Stimmung: {moods}.",
        "Die Person fühlte sich {moods}; zum Tag im Protokoll: {items}.",
        "An diesem Tag zeigt das Protokoll: {items}; die Stimmung wurde als {moods} vermerkt.",
    ),
    summaries_of_moods=(
        "Die Stimmung war {moods}.",
        "Die Person fühlte sich {moods}.",
        "Die Stimmung wurde als {moods} eingetragen.",
    ),
    gaps=(
        "Zwischen {span} wurden keine Daten aufgezeichnet.",
        "Zwischen {span} gibt es keine Daten.",
        "Die Aufzeichnung hat eine Lücke von {start} bis {end}.",
        "Von {start} bis {end} wurde nichts aufgezeichnet.",
        "Zwischen {span} fehlen Daten.",
        "Das Gerät zeichnete von {start} bis {end} nichts auf.",
    ),
    no_events=(
        "Es wurde keine längere Aktivität, kein Schlaf und keine Stimmung eingetragen.",
        "Das Protokoll enthält keine längere Aktivität, keinen Schlaf und keine Stimmung.",
        "Es gibt keine Einträge zu längeren Aktivitäten, Schlaf oder Stimmung.",
    ),
    no_structure=(
        "Es fallen keine deutlichen Trends oder Ausreißer auf.",
        "Die Signale zeigen weder deutliche Trends noch Ausreißer.",
        "Nichts in den Signalen sticht als Trend oder Ausreißer heraus.",
    ),
    no_data=(
        "Es wurden keine Sensordaten aufgezeichnet.",
        "Die Aufzeichnung enthält keine Sensordaten.",
        "Die Sensoren zeichneten nichts auf.",
    ),
    label=_label,
    noun=_noun,
    mood=_mood,
    trend_words={
        "increasing": (
            {"a_trend": "eine steigende Tendenz", "moved": "stieg", "particle": "", "direction": "steigend"},
            {"a_trend": "eine zunehmende Tendenz", "moved": "nahm", "particle": " zu", "direction": "zunehmend"},
        ),
        "decreasing": (
            {"a_trend": "eine fallende Tendenz", "moved": "fiel", "particle": "", "direction": "fallend"},
            {"a_trend": "eine abnehmende Tendenz", "moved": "nahm", "particle": " ab", "direction": "abnehmend"},
        ),
        "stable": (
            {"a_trend": "eine stabile Tendenz", "moved": "blieb", "particle": " stabil", "direction": "stabil"},
            {
                "a_trend": "eine gleichbleibende Tendenz",
                "moved": "blieb",
                "particle": " gleich",
                "direction": "gleichbleibend",
            },
        ),
    },
    anomaly_words={
        "peak": (
            {"an_anomaly": "eine Spitze", "an_anomaly_acc": "eine Spitze"},
            {"an_anomaly": "ein Gipfel", "an_anomaly_acc": "einen Gipfel"},
        ),
        "drop": (
            {"an_anomaly": "ein Einbruch", "an_anomaly_acc": "einen Einbruch"},
            {"an_anomaly": "ein Abfall", "an_anomaly_acc": "einen Abfall"},
        ),
    },
    groups={"Heart": "Herz", "Activity": "Bewegung", "Sleep": "Schlaf", "EDA": "Haut"},
    units={
        "bpm": " bpm",
        "ms": " ms",
        "ms^2": " ms²",
        "nat": " nat",
        "steps/min": " pro Minute",
        "uS": " µS",
        "uS/min": " µS pro Minute",
        "degC": " °C",
        "%": " %",
    },
    span={"minutes": "Minute {start} und {end}", "clock": "{start} und {end} Uhr"},
    time={"minutes": "Minute {time}", "clock": "{time} Uhr"},
    join=_join,
    decimal=",",
    moment={"minutes": "in Minute {time}", "clock": "um {time} Uhr"},
)
