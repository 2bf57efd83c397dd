"""The words that demo data is made of. Letters beyond ASCII, quotes, ampersands, slashes and angle brackets are on purpose."""

USERS = (
    ("ana@example.com", "Ana Lima", "admin"),
    ("marco@example.com", "Marco Rossi", "manager"),
    ("rita@example.com", "Rita Sørensen", "rep"),
    ("raj@example.com", "Raj Patel", "rep"),
    ("lena@example.com", "Lena Müller", "rep"),
    ("tomas@example.com", "Tomás Núñez", "rep"),
    ("yuki@example.com", "Yuki Tanaka", "rep"),
    ("ines@example.com", "Inês O'Neill", "rep"),
    ("noah@example.com", "Noah D'Angelo", "rep"),
    ("zoe@example.com", "Zoë Bäcker", "rep"),
)

FIRST_NAMES = (
    "Aïcha", "Alice", "André", "Anna", "Björn", "Carlos", "Chloé", "Daniel", "Dvořák", "Elif", "Emma", "Erik", "Fatima",
    "François", "Grace", "Hana", "Igor", "Ingrid", "Jack", "Jürgen", "Kateřina", "Liam", "Lucía", "Łukasz", "Maja",
    "Mateus", "Mei", "Mohamed", "Nadia", "Oliver", "Paula", "Priya", "Renée", "Samuel", "Siobhán", "Sofia", "Søren",
    "Tariq", "Ursula", "Victor", "Wanda", "Xavier", "Yara", "Zuzana",
)
LAST_NAMES = (
    "Almeida", "Andersson", "Bauer", "Becker", "Brontë", "Çelik", "Chen", "D'Souza", "Dubois", "Eriksen", "Fernández",
    "Fischer", "García", "Garnier", "Haddad", "Hansen", "Hernández", "Ivanova", "Jansen", "Jørgensen", "Kaya", "Keller",
    "Kim", "Kowalski", "Kovačević", "Larsen", "Lindqvist", "Łaski", "MacLeod", "Marino", "Meyer", "Moreau", "Müller",
    "Nagy", "Nguyen", "Novák", "O'Brien", "O'Connor", "Okafor", "Oliveira", "Peeters", "Petrović", "Ribeiro", "Rossi",
    "Sánchez", "Schmidt", "Schröder", "Silva", "Smith", "Suzuki", "Tóth", "van den Berg", "Virtanen", "Weber",
    "Williams", "Yılmaz", "Zhang", "Žižek",
)
TITLES = (
    "Accountant", "Buyer", "CEO", "CFO", "Head of IT", "Head of R&D", "Office Manager", "Operations", "Owner",
    "Procurement", "Sales/Marketing", "Technical Director", "",
)

TRADES = {
    "Agriculture": ("Farms", "Seeds", "Vineyards"),
    "Construction": ("Bau", "Builders", "Roofing"),
    "Education": ("Academy", "College", "Learning"),
    "Energy": ("Energy", "Solar", "Wind & Water"),
    "Finance": ("Capital", "Insurance", "Leasing"),
    "Food & Drink": ("Bäckerei", "Café", "Foods", "Brewery"),
    "Healthcare": ("Clinic", "Medical", "Pharma"),
    "Logistics": ("Freight", "Shipping", "Transport"),
    "Manufacturing": ("Metal", "Machines", "Plastics", "Textiles"),
    "Media": ("Films", "Press", "Radio/TV"),
    "Retail": ("Books", "Shops", "Trading"),
    "Software": ("Data", "Software", "Systems"),
    "Travel": ("Hotels", "Tours", "Voyages"),
}
# a, b: family names; t: trade; c: city
COMPANY_PATTERNS = (
    "{a} {t}", "{a} {t}", "{a} {t} {l}", "{a} {t} {l}", "{a} & {b} {t}", "{a}/{b} {t}", "{a} \"{t}\" {l}", "{t} {c} {l}",
    "{a}'s {t}", "{a}, {b} & Co. {t}", "{t} <{c}>",
)
LEGAL = ("GmbH", "AG", "Ltd", "S.A.", "A/S", "B.V.", "s.r.o.", "Oy", "AB", "Lda.", "& Cie")
CITIES = (
    ("Amsterdam", "Netherlands"), ("Århus", "Denmark"), ("Barcelona", "Spain"), ("Bern", "Switzerland"),
    ("Bruxelles", "Belgium"), ("Budapest", "Hungary"), ("Dublin", "Ireland"), ("Gdańsk", "Poland"),
    ("Genève", "Switzerland"), ("Göteborg", "Sweden"), ("Hamburg", "Germany"), ("Helsinki", "Finland"),
    ("İzmir", "Türkiye"), ("Kraków", "Poland"), ("København", "Denmark"), ("Köln", "Germany"), ("Lisboa", "Portugal"),
    ("Lyon", "France"), ("Málaga", "Spain"), ("Milano", "Italy"), ("München", "Germany"), ("Nîmes", "France"),
    ("Oslo", "Norway"), ("Plzeň", "Czechia"), ("Porto", "Portugal"), ("Reykjavík", "Iceland"), ("Rīga", "Latvia"),
    ("São Paulo", "Brazil"), ("Tromsø", "Norway"), ("Zürich", "Switzerland"),
)
NOTES = (
    "Prefers e-mail. Invoices go to head office.",
    "Met at the fair in München;\nwants a quote for 3 sites & a pilot.",
    "Says: \"call me after the summer\".",
    "Old contract <2019> still valid. Don't offer the discount twice.",
    "Decision by the board, usually in Q1/Q3.",
    "Très satisfait du service.",
)

DEAL_SUBJECTS = (
    "Annual licence", "Pilot", "Extension", "Training & setup", "Support 24/7", "Migration", "Hardware", "Consulting",
    "Framework contract", "\"Starter\" package", "Renewal", "Second site",
)
LOST_REASONS = (
    "Price", "No budget this year", "Went with a competitor", "Project cancelled", "No answer any more",
    "Missing feature: import/export",
)
SUBJECTS = {
    "call": ("First call", "Call about the offer", "Follow-up", "No answer, left a message", "Asked about prices & terms"),
    "meeting": ("Demo on site", "Kick-off", "Contract talks", "Lunch", "Quarterly review Q1/Q2"),
    "note": ("New person in charge", "Budget is confirmed", "Uses a competitor's tool", "Wants \"everything in one place\""),
    "task": ("Send the offer", "Prepare the demo", "Check the credit", "Write the minutes", "Update the price list"),
}
BODIES = (
    "Went well.", "Needs an answer by the end of the month.", "Talked about delivery, <prices> & support.",
    "Ça marche; à suivre.", "They'll discuss it \"internally\".", "Waiting for the signature.",
)
