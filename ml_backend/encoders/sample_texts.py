"""Texts of many sorts, on which a conversion finds the ranges of activations and checks its vectors."""

from __future__ import annotations

_SENTENCES = (
    "The parcel came two days late and the box was crushed.",
    "Absolutely love it!!! Best purchase I've made all year :)",
    "meh",
    "Does this fit a 2019 model, or only the newer ones?",
    "WORST SERVICE EVER. DO NOT BUY FROM THESE PEOPLE",
    "The battery lasts about ten hours with the screen at half brightness.",
    "I was charged twice for one transfer, please refund £24.99.",
    "@anna lol you have no idea what you're talking about https://example.com/a?b=1",
    "The committee published its annual report on Tuesday; nobody read it.",
    "ok",
    "Stainless steel bottle, 750 ml, BPA-free, keeps drinks cold for 24 h",
    "How do I change the address of my card before it is sent?",
    "The plot is thin, the acting wooden, yet somehow I could not look away.",
    "you people are disgusting and should be ashamed",
    "Il pacco è arrivato in ritardo, ma il venditore è stato gentile.",
    "สินค้าดีมาก ส่งเร็ว แนะนำเลยค่ะ",
    "这个商品质量很好,下次还会再买。",
    "Отличный телефон за свои деньги, но камера слабая.",
    "1234567890 / 42 = 29394037.8",
    "<p>Size: <b>XL</b></p><br/>Colour: navy &amp; white",
    "She said, 'I never asked for this,' and left the room without another word.",
    "Scientists found traces of water under the surface of the moon last spring.",
    "return null if the key is not in the map; else the value, cast to int",
    "🔥🔥🔥 deal of the day 🔥🔥🔥",
    "It isn't bad, but I wouldn't say that it's good either.",
    "Terrible smell, had to throw it away after one wash. The seller never answered.",
    "The patient was given 5 mg twice daily and discharged after three days.",
    "gr8 tnx m8, c u 2moro",
    "Why would anybody pay that much for a piece of plastic?",
    "A new library opened next to the school where my mother used to teach.",
    "",
    "The train was late because of a signal failure, as it had been all week.",
)


def sample_texts() -> list[str]:
    """Short ones, one too long to be read to its end, and several lengths between."""
    joined = [" ".join(_SENTENCES[start : start + count]) for start in (0, 8, 20) for count in (3, 6, 12)]
    return [*_SENTENCES, *joined, " ".join(_SENTENCES * 4)]
