package produce

// phrases is what invented events are made of, in one language. In a title or a
// sentence $artist, $album, $city and $genre are filled in.
type phrases struct {
	language  string
	titles    []string
	sentences []string
	bios      []string
	albums    []string
}

func russian() phrases {
	return phrases{
		language: "ru",
		titles: []string{
			"$artist анонсировали новый альбом «$album»",
			"Премьера клипа: $artist — «$album»",
			"Концерт $artist в городе $city: как это было",
			"Почему «$album» — лучшая пластинка года",
			"Пять песен, с которых стоит начать слушать $artist",
			"Разбор: как $artist записывали «$album»",
			"$genre в городе $city: путеводитель по сцене",
			"Ещё одна победа: $artist взяли главную премию",
		},
		sentences: []string{
			"Группа $artist выпустила долгожданную пластинку «$album», над которой музыканты работали почти три года.",
			"Запись проходила в небольшой студии в городе $city, где до сих пор стоит ламповый пульт семидесятых.",
			"В новом звучании слышны и $genre, и старые советские пластинки, найденные на барахолке.",
			"Билеты на концерт в городе $city разошлись за четыре часа, поэтому объявлено ещё одно выступление.",
			"Вокалистка призналась, что тексты писала ночью, а весь материал переделывали трижды.",
			"Критики спорят: одни слышат возвращение к корням, другие — смелый шаг вперёд.",
			"На сцене было семь человек, две ударные установки и ни одного ноутбука.",
			"Поклонники уже разучивают песни с альбома «$album» и выкладывают свои версии.",
			"Тур начнётся весной и пройдёт через двадцать городов, включая $city.",
			"Гитарист рассказал, что любимый усилитель сгорел прямо перед записью главной песни.",
			"Слушатели сравнивают новую работу с ранними записями, но музыканты с этим не согласны.",
			"Виниловое издание выйдет ограниченным тиражом — пятьсот пронумерованных экземпляров.",
		},
		bios: []string{
			"$artist — группа из города $city, играющая $genre. Первый альбом «$album» записан дома на четырёхдорожечный магнитофон.",
			"Проект $artist появился в городе $city. Музыканты соединяют $genre с народными мелодиями и электроникой.",
		},
		albums: []string{"Северный свет", "Ёлки и провода", "Тише воды", "Последний трамвай", "Город под дождём", "Мёд и пыль", "Обратная сторона", "Чужие сны"},
	}
}

func english() phrases {
	return phrases{
		language: "en",
		titles: []string{
			"$artist announce their new album “$album”",
			"Video premiere: $artist — “$album”",
			"Live review: $artist in $city",
			"Why “$album” is the record of the year",
			"Five songs to start listening to $artist",
			"How $artist recorded “$album”",
			"A guide to the $genre scene in $city",
			"One more win: $artist take the main prize",
		},
		sentences: []string{
			"$artist have released their long awaited record “$album” after almost three years of work.",
			"It was recorded in a small studio in $city that still runs a valve desk from the seventies.",
			"The new sound draws on $genre and on a box of forgotten singles found at a flea market.",
			"Tickets for the show in $city sold out in four hours, so a second night has been added.",
			"The singer says that she wrote the lyrics at night and that everything was rewritten three times.",
			"Critics disagree: some hear a return to the roots, others a bold step forward.",
			"There were seven people on stage, two drum kits and not a single laptop.",
			"Fans are already learning the songs from “$album” and sharing their own versions.",
			"The tour begins in spring and visits twenty cities, $city among them.",
			"The guitarist remembers how his favourite amplifier burned out just before the main take.",
			"Listeners compare the new work with the early recordings; the band does not agree.",
			"The vinyl edition is limited to five hundred numbered copies with hand printed sleeves.",
		},
		bios: []string{
			"$artist are a $genre band from $city. Their first album, “$album”, was recorded at home on a four-track tape machine.",
			"Formed in $city, $artist mix $genre with folk tunes and electronics and are best known for “$album”.",
		},
		albums: []string{"Northern Light", "Quiet Machines", "Last Tram Home", "Salt & Static", "Paper Rivers", "The Other Side", "Honey and Dust", "Half Awake"},
	}
}

func artistNames() []string {
	return []string{
		"Мумий Тролль", "Аквариум", "Ночные снайперы", "Серебряная свадьба", "Ёлочные игрушки", "Сплин", "Молчат дома", "Shortparis",
		"Glass Harbour", "The Paper Foxes", "Velvet Antenna", "Slow Cathedral", "Neon Orchard", "Björk's Neighbours", "Hollow Coast", "Rust & Ribbons",
	}
}

func cities() []string {
	return []string{"Санкт-Петербург", "Казань", "Новосибирск", "Екатеринбург", "Berlin", "Glasgow", "Reykjavík", "Lisbon"}
}

func genres() []string {
	return []string{"indie rock", "post-punk", "shoegaze", "synth-pop", "jazz", "русский рок", "folk", "trip-hop", "techno", "ambient"}
}

func countries() []string {
	return []string{"RU", "DE", "GB", "IS", "PT", "US", "FR", "KZ"}
}
