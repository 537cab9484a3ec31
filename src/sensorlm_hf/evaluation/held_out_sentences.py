"""Free English for evaluation: sentences about the 20 activities, and opposite sentences about measured quantities.

The sentences are written as people write in diaries, messages, training logs and search boxes. They share no template
with the captions and prompts of this package, and mostly avoid the name of the activity. They must never be used for
training: a model that has seen them is no longer tested on free English.
"""

from __future__ import annotations

from dataclasses import dataclass

ACTIVITY_SENTENCES: dict[str, tuple[str, ...]] = {
    "walking": (
        "Took the long way round the neighbourhood with the dog, no hurry at all.",
        "strolled along the river and back with my sister, we chatted the whole way",
        "Client managed forty minutes on foot at an easy pace, no limp.",
        "Pushed the pram around the park until the little one finally dropped off.",
        "Went out for some fresh air and wandered through town.",
    ),
    "running": (
        "10k on the road, splits were all over the place but I got it done.",
        "jogged around the lake, lungs on fire for the last kilometre",
        "Laced up the trainers and pounded the pavement.",
        "Athlete completed the tempo session outdoors, three laps of the common.",
        "days when I was out doing miles for the marathon plan",
    ),
    "treadmill running": (
        "Too icy outside, so I did my miles on the belt at the gym.",
        "5k indoors with the incline at one percent, staring at the wall the whole time",
        "Set the machine to 11 km/h and just kept up with it.",
        "Patient jogged on the motorised belt in the clinic, good gait.",
        "Ran without going anywhere, watching a series on the little screen.",
    ),
    "hiking": (
        "Followed the ridge trail up to the hut and came down by the waterfall.",
        "A full day in the mountains with rucksack and poles.",
        "boots, map, sandwiches on the summit, sore knees on the way down",
        "We climbed the fell with the kids, nine hundred metres of ascent in total.",
        "days out on the trails up in the hills",
    ),
    "outdoor cycling": (
        "Sixty kilometres on the road bike, headwind all the way home.",
        "took the mountain bike through the forest, punctured twice",
        "Pedalled out to the coast with the club and stopped for cake.",
        "Rode over two passes, legs completely empty at the top of the second one.",
        "out in the saddle on country lanes",
    ),
    "indoor cycling": (
        "Sweated through a spin class with terrible music.",
        "Hooked the bike up to the turbo trainer and raced online.",
        "Physio: twenty-five minutes on the stationary bike, moderate resistance.",
        "pedalling nowhere in my living room, towel over the handlebars",
        "The instructor kept shouting to turn the resistance up and get out of the saddle.",
    ),
    "elliptical": (
        "Half an hour on the cross-trainer, arms and legs going back and forth.",
        "that gym machine with the two big pedals and the moving handles, kind to my knees",
        "Low-impact striding on the machine, no pounding on the joints.",
        "Did my cardio gliding along on the cross trainer next to my mum.",
        "Knee rehab: switched her from jogging to the glider, twenty minutes steady.",
    ),
    "rowing machine": (
        "2000 metres on the erg, new personal best.",
        "Pulled the handle until my back and my hands gave up.",
        "winter training with the crew, all of us lined up on the ergs",
        "Intervals on the Concept2, 500 m hard and one minute off.",
        "Sliding back and forth on that seat, watching the split creep up.",
    ),
    "stair climbing": (
        "Up and down the tower block twelve times for charity.",
        "Skipped the lift and went up every floor, again and again.",
        "StairMaster at level eight, calves are jelly.",
        "did flights of steps in the stadium until coach blew the whistle",
        "Step after step upwards, my thighs were burning by the fortieth floor.",
    ),
    "swimming": (
        "Did sixty lengths, mostly front crawl, goggles leaked again.",
        "In the pool with the masters squad, lots of drills and kick sets.",
        "splashed about doing breaststroke until my fingers went wrinkly",
        "Aquatic session: patient completed 800 m freestyle without shoulder pain.",
        "everything in the water: laps, flip turns, chlorine in my hair",
    ),
    "weight lifting": (
        "Squats, bench and deadlifts, five sets of five each.",
        "leg day with the barbell, can hardly sit down now",
        "Progressed to 20 kg dumbbells for the overhead press, long rests in between.",
        "Pumped iron with my brother in his garage.",
        "heavy reps with plates clanging all around me",
    ),
    "HIIT": (
        "Burpees, mountain climbers, jump squats, forty seconds on and twenty off.",
        "The CrossFit workout today nearly killed me, rounds for time.",
        "tabata with the girls, all-out bursts and hardly any rest",
        "Short and brutal: sprint, rest, sprint, rest, until I lay on the floor.",
        "Boot camp drills with kettlebells and box jumps against the clock.",
    ),
    "yoga": (
        "Sun salutations, a few warriors and a long savasana.",
        "Rolled out the mat, stretched and breathed for an hour.",
        "downward dog, pigeon pose, namaste",
        "A gentle vinyasa flow at the studio, felt calm for the rest of the day.",
        "Held the poses, followed the breath, let everything go.",
    ),
    "pilates": (
        "On the reformer with springs and straps, my core is shaking.",
        "The hundred, leg circles and roll-ups on the mat.",
        "Physio suggested slow controlled core work for my lower back, so I went to the class.",
        "small precise movements, pelvis neutral, navel to spine",
        "Deep abdominal work on the mat with Joseph's classical sequence.",
    ),
    "tennis": (
        "Lost the second set in a tiebreak, my serve was hopeless.",
        "Hit forehands and backhands across the net with Anna all session.",
        "a couple of sets of doubles on the clay court at the club",
        "He spent the lesson working on his volleys and second serve.",
        "Racket, fuzzy yellow balls, and a lot of chasing along the baseline.",
    ),
    "football": (
        "We won 3-1, I scored a header from the corner.",
        "five-a-side with the lads from work, played in midfield the whole match",
        "Soccer practice: passing drills, then a game on the full pitch.",
        "Our daughter played ninety minutes on the left wing and loved it.",
        "Ran around the pitch after the ball, shin pads and muddy boots.",
    ),
    "basketball": (
        "Shot hoops with the guys, full court, first to twenty-one.",
        "two hours of layups, rebounds and free throws in the sports hall",
        "Played point guard and fouled out in the last quarter.",
        "Coach had us doing dribbling drills and three-pointers.",
        "pick-up game with my cousins, jumped for every rebound",
    ),
    "golf": (
        "Eighteen holes with my father-in-law, lost six balls.",
        "Shot an 88, the putting let me down on the back nine.",
        "walked the course carrying my own clubs",
        "From tee to green all day: drives, chips and far too many putts.",
        "Practised my swing on the range, then played the front nine.",
    ),
    "dancing": (
        "Salsa party! We did not leave the floor until they turned the music off.",
        "zumba with the neighbours, arms everywhere, great fun",
        "Ballroom practice: waltz, quickstep and a lot of counting.",
        "Twirled around the floor at my cousin's wedding until my feet hurt.",
        "learning new choreography at the studio, hip hop this time",
    ),
    "skiing": (
        "Fresh powder, took the chairlift up again and again.",
        "carved down the red runs with the kids, hot chocolate in between",
        "A day on the slopes, goggles on, thighs burning by the last descent.",
        "Snowboarding with friends, off-piste through the trees.",
        "Lift up, piste down, repeat until the resort closed.",
    ),
}
"""Sentences about each activity of the benchmark, at least four each; the reader has to know what is meant."""


@dataclass(frozen=True)
class ConceptPair:
    """Two opposite sentences about a quantity of a day.

    Attributes:
        name: Unique name of the pair.
        quantity: Name of the quantity, a key of `sensorlm_hf.evaluation.quantities.QUANTITIES`.
        high: Sentence about a day on which the quantity is high.
        low: Sentence about a day on which it is low.
    """

    name: str
    quantity: str
    high: str
    low: str


def _pairs(quantity: str, *sentences: tuple[str, str]) -> tuple[ConceptPair, ...]:
    return tuple(ConceptPair(f"{quantity}_{n}", quantity, high, low) for n, (high, low) in enumerate(sentences, 1))


CONCEPT_PAIRS: tuple[ConceptPair, ...] = (
    *_pairs(
        "mean_heart_rate",
        ("My pulse was fast all day.", "My pulse was slow all day."),
        ("days when the heart was beating quickly on average", "days when the heart was beating slowly on average"),
        ("The average bpm is well above normal.", "The average bpm is well below normal."),
        ("Her heart kept racing.", "Her heart ticked along calmly."),
    ),
    *_pairs(
        "peak_heart_rate",
        ("At some point my heart rate went through the roof.", "My heart rate never climbed very far."),
        ("The athlete got close to his maximum pulse.", "The athlete stayed far below his maximum pulse."),
        ("peak bpm over 170", "peak bpm under 110"),
    ),
    *_pairs(
        "resting_heart_rate",
        ("Even at rest his heart beats fast.", "At rest his heart beats very slowly."),
        ("elevated resting pulse, perhaps coming down with something", "low resting pulse, like an endurance athlete"),
        ("The lowest pulse of the day was still high.", "The pulse dropped very low when I lay still."),
    ),
    *_pairs(
        "heart_rate_spread",
        ("My pulse swung wildly between high and low.", "My pulse hardly changed from hour to hour."),
        ("heart rate all over the place", "flat, even heart rate"),
    ),
    *_pairs(
        "rmssd",
        ("My HRV was excellent.", "My HRV was terrible."),
        ("A lot of variation from one heartbeat to the next.", "Very little variation from one heartbeat to the next."),
        ("strong vagal tone, well recovered", "weak vagal tone, poorly recovered"),
    ),
    *_pairs(
        "steps",
        ("I must have done twenty thousand steps.", "I barely took a thousand steps."),
        ("On my feet and going places from start to finish.", "Hardly left the sofa."),
        ("smashed the step goal", "missed the step goal by miles"),
        ("She covered a great distance on foot.", "She hardly went anywhere on foot."),
        ("days with lots of walking about", "days with next to no walking about"),
    ),
    *_pairs(
        "steps_morning",
        ("Clocked up an awful lot of steps before lunch.", "Hardly moved before lunch."),
        ("a busy morning on my feet", "a lazy morning without going anywhere"),
    ),
    *_pairs(
        "steps_afternoon",
        ("I was on the go between lunch and teatime.", "I sat around between lunch and teatime."),
        ("lots of steps in the afternoon", "next to no steps in the afternoon"),
    ),
    *_pairs(
        "steps_evening",
        ("Out and about after dinner.", "Stayed put after dinner."),
        ("step counter raced after sunset", "step counter barely budged after sunset"),
    ),
    *_pairs(
        "sedentary_share",
        ("I sat nearly the whole day.", "I hardly sat down all day."),
        ("Patient spends most waking hours inactive.", "Patient is up and moving for most waking hours."),
        ("chair, car, couch, bed", "constantly on the move"),
    ),
    *_pairs(
        "cadence",
        ("When I moved, I moved fast, with quick steps.", "When I moved, I ambled along."),
        ("high turnover, many steps a minute", "low turnover, few steps a minute"),
    ),
    *_pairs(
        "skin_temperature",
        ("My wrist felt warm all day.", "My wrist felt cold all day."),
        ("high skin temperature", "low skin temperature"),
    ),
    *_pairs(
        "skin_conductance",
        ("My hands and wrists were clammy.", "My skin stayed dry."),
        ("Strong electrodermal activity, plenty of sweat.", "Barely any electrodermal activity, hardly any sweat."),
    ),
    *_pairs(
        "sleep_minutes",
        ("I got a really long sleep.", "I only got a few hours of sleep."),
        ("The baby let us sleep for ages.", "The baby kept us up nearly all night."),
        ("nine hours in bed, out like a light", "four hours in bed, that was it"),
    ),
    *_pairs(
        "bedtime",
        ("I went to bed far too late.", "I went to bed early."),
        ("a night owl, still up past midnight", "lights out by half past nine"),
    ),
    *_pairs(
        "wake_time",
        ("Slept in and got up late.", "Out of bed while it was still dark."),
        ("didn't get out of bed until mid-morning", "the alarm rang at five"),
    ),
    *_pairs(
        "nap_minutes",
        ("I dozed off for a while during the day.", "I stayed awake all day."),
        ("needed a siesta", "no snooze today"),
    ),
    *_pairs(
        "wear_minutes",
        ("I kept the watch on around the clock.", "I had the watch off for most of the day."),
        ("complete recording, hardly anything missing", "patchy recording, most of it missing"),
    ),
    *_pairs(
        "longest_gap",
        ("There is a hole of many hours in the data.", "There is no hole in the data."),
        ("The battery died and nothing was recorded for ages.", "The device recorded without interruption."),
    ),
    *_pairs(
        "exercise_minutes",
        ("A really long training session.", "A rest day without any training."),
        ("I worked out for hours.", "I did no workout at all."),
        ("heavy training load", "complete break from training"),
    ),
    *_pairs(
        "movement",
        ("Arms and body in motion all the time.", "Lay still for most of the time."),
        ("restless and fidgety", "motionless"),
    ),
)
"""Pairs of opposite sentences; the important quantities have several."""

UNRELATED_LABELS: tuple[str, ...] = (
    "tax returns",
    "photosynthesis",
    "the French Revolution",
    "a broken dishwasher",
    "interest rates",
    "blorvik",
    "asdf qwerty",
    "chess openings",
    "volcanic rock",
    "printer ink",
    "lorem ipsum dolor sit amet",
    "sourdough starter",
    "a purple elephant",
    "the moons of Jupiter",
    "zxqv wubble",
    "quarterly earnings",
    "medieval Latin grammar",
    "a JPEG attachment",
    "the colour beige",
    "mortgage insurance",
)
"""Labels that no sensor day can match: other topics, and words that do not exist."""
