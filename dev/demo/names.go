package demo

// spelling is one name in both alphabets; which one an order carries is the customer's choice.
type spelling struct{ latin, arabic string }

var firstNames = [...]spelling{
	{"Amina", "أمينة"}, {"Yacine", "ياسين"}, {"Sofiane", "سفيان"}, {"Khadidja", "خديجة"}, {"Mohamed", "محمد"},
	{"Fatima Zohra", "فاطمة الزهراء"}, {"Abdelkader", "عبد القادر"}, {"Nadia", "نادية"}, {"Karim", "كريم"}, {"Samira", "سميرة"},
	{"Redouane", "رضوان"}, {"Meriem", "مريم"}, {"Bilal", "بلال"}, {"Houria", "حورية"}, {"Nassim", "نسيم"},
	{"Loubna", "لبنى"}, {"Walid", "وليد"}, {"Asma", "أسماء"}, {"Hichem", "هشام"}, {"Lynda", "ليندة"},
	{"Toufik", "توفيق"}, {"Imane", "إيمان"}, {"Riad", "رياض"}, {"Soumia", "سمية"}, {"Mourad", "مراد"},
	{"Chaïma", "شيماء"}, {"Djamel", "جمال"}, {"Wassila", "وسيلة"}, {"Farouk", "فاروق"}, {"Naïma", "نعيمة"},
	{"Anis", "أنيس"}, {"Rym", "ريم"}, {"Lotfi", "لطفي"}, {"Zineb", "زينب"}, {"Oussama", "أسامة"},
	{"Malika", "مليكة"}, {"Ismaïl", "إسماعيل"}, {"Hayet", "حياة"}, {"Rafik", "رفيق"}, {"Selma", "سلمى"},
}

var lastNames = [...]spelling{
	{"Benali", "بن علي"}, {"Boudiaf", "بوضياف"}, {"Hamidi", "حميدي"}, {"Meziane", "مزيان"}, {"Cherif", "شريف"},
	{"Belkacem", "بلقاسم"}, {"Saïdi", "سعيدي"}, {"Bouzid", "بوزيد"}, {"Mansouri", "منصوري"}, {"Khelifi", "خليفي"},
	{"Brahimi", "براهيمي"}, {"Zerrouki", "زروقي"}, {"Hadj Ahmed", "حاج أحمد"}, {"Amrani", "عمراني"}, {"Touati", "تواتي"},
	{"Guerfi", "قرفي"}, {"Lounes", "لونيس"}, {"Ferhat", "فرحات"}, {"Aït Ouali", "آيت والي"}, {"Rahmani", "رحماني"},
	{"Djaballah", "جاب الله"}, {"Boukhalfa", "بوخالفة"}, {"Haddad", "حداد"}, {"Slimani", "سليماني"}, {"Ziani", "زياني"},
	{"Kaci", "قاسي"}, {"Bensalem", "بن سالم"}, {"Messaoudi", "مسعودي"}, {"Tebbal", "طبال"}, {"Ouadah", "واضح"},
	{"Chaouche", "شاوش"}, {"Dahmani", "دحماني"}, {"Benyahia", "بن يحيى"}, {"Larbi", "العربي"}, {"Medjdoub", "مجدوب"},
	{"Sahraoui", "صحراوي"}, {"Bouchareb", "بوشارب"}, {"Nekkache", "نقاش"}, {"Idir", "إيدير"}, {"Hammoudi", "حمودي"},
	{"Gacem", "قاسم"}, {"Taleb", "طالب"}, {"Beddiar", "بديار"}, {"Mokrane", "مقران"}, {"Yahiaoui", "يحياوي"},
	{"Fodil", "فضيل"}, {"Chikhi", "شيخي"}, {"Abdelli", "عبدلي"}, {"Rezig", "رزيق"}, {"Bourouba", "بوروبة"},
}
